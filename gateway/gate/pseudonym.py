"""Pseudonyms: a subscriber's number as a keyed hash, by which it can be found but not read.

Without the key the hash of every possible number cannot be tried (there are few enough numbers to try them all).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


_CHECK: Final = "callgate key check"
"""No number: its hash proves the key, and is what the data set names it by (`keys.Key.check`)."""


class PseudonymRing(Pseudonymizer):
    """Hashes under the one key of several that the data set in force was made with.

    The head of Redis names the key (`check`). Whoever reads it there says `use`; everybody who keeps hashes made with
    the key before is told, for these find nobody any more.
    """

    __slots__ = ("_held", "check", "epoch", "on_change")

    def __init__(self, keys: Sequence[bytes]) -> None:
        """`keys`: newest first; the first is in use until another one is named. Raises ValueError."""
        super().__init__(keys[0])
        self.epoch = 0
        """Newest dataset epoch whose head named the key in use."""
        self._held: dict[bytes, bytes] = {}
        self.check = b""
        """Of the key in use: 16 hex digits."""
        self.on_change: list[Callable[[], None]] = []
        """Called when another key is in use."""
        self.renew(keys)

    @property
    def checks(self) -> tuple[bytes, ...]:
        """Of all keys, newest first."""
        return tuple(self._held)

    def renew(self, keys: Sequence[bytes]) -> None:
        """The ring was read again. The key in use stays in use, also where it is gone from the ring: only a head may
        name another."""
        self._held = {_check_of(key): key for key in keys}
        self.check = self.check or next(iter(self._held))

    def use(self, check: bytes, epoch: int) -> bool:
        """A head names this key; whether it is in use now. False where we have no such key, and where a newer epoch
        has named another: a shard that was left behind must not turn everybody back."""
        if check == self.check:
            self.epoch = max(self.epoch, epoch)
            return True
        key = self._held.get(check)
        if key is None or epoch < self.epoch:
            return False
        self._keyed = Pseudonymizer(key)._keyed
        self.check = check
        self.epoch = epoch
        for tell in self.on_change:
            tell()
        return True


def _check_of(key: bytes) -> bytes:
    return Pseudonymizer(key).hash(_CHECK).hex().encode()
