"""Pseudonyms: a subscriber's number as a keyed hash, by which it can be found but not read.

Without the key the hash of every possible number cannot be tried (there are few enough numbers to try them all).
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

HASH_BYTES: Final = 8
"""Two of a billion numbers share a hash with a chance of 3 %, one call hits such a pair with 1 in 2 * 10^10."""

MIN_KEY_BYTES: Final = 16


class Pseudonymizer:
    """Hashes canonical numbers under one key."""

    __slots__ = ("_keyed",)

    def __init__(self, key: bytes) -> None:
        """`key`: 16 to 64 bytes (32 in the key file). Raises ValueError."""
        if not MIN_KEY_BYTES <= len(key) <= blake2b.MAX_KEY_SIZE:
            raise ValueError(f"pseudonym key of {len(key)} bytes")
        self._keyed = blake2b(digest_size=HASH_BYTES, key=key)
        """With the key in it, and ready: a copy costs half of what a new one does."""

    def hash(self, canonical: str) -> bytes:
        """8 bytes. `canonical`: as `registry.numbering` writes a number (`+8613800138000`, `95588`)."""
        digest = self._keyed.copy()
        digest.update(canonical.encode())
        return digest.digest()
