"""The bounded set of ids in flat storage."""

from __future__ import annotations

import tracemalloc

from gateway.sip.seen import MAX_BUCKETS, WAYS, Seen


def ids(first: int, last: int) -> list[bytes]:
    return [b"%032x" % number for number in range(first, last)]


def test_an_id_is_new_once() -> None:
    seen = Seen(100)
    assert b"a" not in seen
    assert seen.add(b"a")
    assert not seen.add(b"a")
    assert b"a" in seen
    assert b"b" not in seen
    assert seen.add(b"")
    assert b"" in seen


def test_the_last_ones_are_kept_and_the_first_are_not() -> None:
    seen = Seen(8_192)
    for one in ids(0, 100_000):
        seen.add(one)
    kept = sum(one in seen for one in ids(100_000 - 4_096, 100_000))
    assert kept >= 4_050  # a full bucket forgets a little early; how often depends on the hashes of this process
    assert sum(one in seen for one in ids(0, 50_000)) < 50


def test_many_are_held_apart() -> None:
    seen = Seen(200_000)
    assert sum(seen.add(one) for one in ids(0, 100_000)) == 100_000
    assert not any(one in seen for one in ids(100_000, 150_000))


def test_the_least_and_the_largest_bound() -> None:
    for limit in (0, 1, WAYS, WAYS + 1, WAYS * MAX_BUCKETS * 4):
        seen = Seen(limit)
        for one in ids(0, 100):
            seen.add(one)
        assert ids(99, 100)[0] in seen


def test_nothing_is_allocated_for_an_id() -> None:
    seen = Seen(10_000)
    some = ids(0, 20_000)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for one in some:
        seen.add(one)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 1_000
