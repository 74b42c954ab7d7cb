from __future__ import annotations

from hashlib import blake2b

import pytest

from gateway.gate.pseudonym import Pseudonymizer


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
