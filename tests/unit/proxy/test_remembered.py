from __future__ import annotations

from gateway.proxy.remembered import Decisions, Generations


def test_the_oldest_go_first_and_the_bound_holds() -> None:
    kept = Generations(10)
    for number in range(1000):
        assert kept.add(b"%d" % number) == 0
        assert len(kept) <= 10
    assert all(b"%d" % number in kept for number in range(995, 1000))
    assert b"900" not in kept
    assert kept.add(b"999") == 1
    assert kept.add(b"999") == 2
    assert b"never" not in kept


def test_a_count_moves_on_with_its_id() -> None:
    kept = Generations(4)
    for _ in range(3):
        kept.add(b"a")
    kept.add(b"b")
    kept.add(b"c")  # a and b are the older half now
    assert kept.add(b"a") == 3


def test_what_became_of_a_call() -> None:
    decisions = Decisions()
    assert [decisions.use(b"a"), decisions.use(b"a"), decisions.use(b"b")] == [0, 1, 0]
    decisions.settled(b"never left", False)
    assert not decisions.failed(b"never left")
    for call, answered in ((b"a", True), (b"b", False)):
        decisions.forwarded(call)
        assert decisions.unanswered(call)
        decisions.settled(call, answered)
        assert not decisions.unanswered(call)
        assert decisions.failed(call) is not answered
