from __future__ import annotations

from hashlib import blake2b

import pytest

from gateway.gate.pseudonym import Pseudonymizer, PseudonymRing


def test_same_number_same_hash_other_key_other_hash() -> None:
    one, two = Pseudonymizer(b"k" * 32), Pseudonymizer(b"l" * 32)
    hashed = one.hash("+8613800138000")
    assert len(hashed) == 8
    assert hashed == one.hash("+8613800138000") == Pseudonymizer(b"k" * 32).hash("+8613800138000")
    assert hashed != one.hash("+8613800138001")
    assert hashed != two.hash("+8613800138000")


def test_the_hash_is_keyed_blake2b() -> None:
    """Fixed for good: it stands in PostgreSQL and in every record."""
    assert Pseudonymizer(b"k" * 32).hash("95588") == blake2b(b"95588", digest_size=8, key=b"k" * 32).digest()


@pytest.mark.parametrize("key", [b"", b"short", b"k" * 65])
def test_bad_keys(key: bytes) -> None:
    with pytest.raises(ValueError, match="pseudonym key"):
        Pseudonymizer(key)


def test_a_ring_hashes_with_the_key_that_a_head_names() -> None:
    old, new = b"o" * 32, b"n" * 32
    checks = [Pseudonymizer(key).hash("callgate key check").hex().encode() for key in (new, old)]
    ring = PseudonymRing([new, old])
    told: list[bytes] = []
    ring.on_change.append(lambda: told.append(ring.check))
    assert ring.checks == tuple(checks) and ring.check == checks[0]
    assert ring.use(checks[1], 3)
    assert ring.hash("95588") == Pseudonymizer(old).hash("95588")
    assert ring.use(checks[1], 4) and told == [checks[1]], "told when it changes only"
    assert ring.use(checks[0], 5)
    assert ring.hash("95588") == Pseudonymizer(new).hash("95588")
    assert not ring.use(checks[1], 4), "the head of a shard that was left behind"
    assert not ring.use(b"0" * 16, 9), "a key we do not have"
    assert ring.check == checks[0] and told == [checks[1], checks[0]]


def test_a_ring_that_is_read_again_keeps_its_key_in_use() -> None:
    ring = PseudonymRing([b"o" * 32])
    before = ring.check
    ring.renew([b"n" * 32, b"o" * 32])
    assert ring.check == before and ring.hash("1") == Pseudonymizer(b"o" * 32).hash("1")
    assert ring.use(ring.checks[0], 2)
    assert ring.hash("1") == Pseudonymizer(b"n" * 32).hash("1")
