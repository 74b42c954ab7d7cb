"""Nonces of digest authentication: made without state, and each use of one taken once (RFC 7616 §5.12).

A nonce is a time, a number and a keyed MAC of these, source and realm, so that nothing is kept for a stranger who only
asks, and one made for another address or realm is not ours. Only after a right response its counts are kept.

Several processes: give each a secret of its own, drawn at its start. A nonce is then good in one process alone, so what
one has seen cannot be played to another; a client whose message meets another process gets `stale` and tries again.
Between the workers of a node that is rare: the answer to a challenge has its Call-ID (RFC 3261 §22.2), by which it
finds the same worker. A key shared by all, and known after a restart, would need the counts to be shared as well.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from hashlib import blake2b
from hmac import compare_digest
from typing import Final

LIFETIME_S: Final = 60.0
"""How long a nonce serves. A client that lost it pays one round trip."""

MAX_NONCES = 20_000
"""Nonces in use that counts are kept of. Full: the oldest goes, and with it every nonce made before it."""

WINDOW: Final = 64
"""Counts below the highest that may still come: requests overtake each other over UDP."""

_TIME: Final = 6
_HEAD: Final = _TIME + 2
"""Octets of the time, and of a number that tells the nonces of one millisecond apart: two calls of one source must not
count in the same."""

_MAC: Final = 16


class Nonces:
    """The nonces of one process."""

    __slots__ = ("_floor", "_lifetime_s", "_number", "_secret", "_used")

    def __init__(self, secret: bytes, lifetime_s: float = LIFETIME_S) -> None:
        self._secret = secret
        self._number = 0
        self._lifetime_s = lifetime_s
        self._used: OrderedDict[bytes, list[int]] = OrderedDict()
        """Nonce to [highest count, bits of the counts below it], in the order of their first use."""
        self._floor = -1
        """Nonces made at this millisecond or before are stale: their counts are no longer kept."""

    def __len__(self) -> int:
        return len(self._used)

    def make(self, now: float, source: bytes, realm: bytes) -> bytes:
        """A new nonce. `now`: epoch seconds; `source`: the address the challenge goes to, with its port where that is
        to be bound as well."""
        self._number = (self._number + 1) & 0xFFFF
        head = int(now * 1000).to_bytes(_TIME, "big") + self._number.to_bytes(2, "big")
        return urlsafe_b64encode(head + self._mac(head, source, realm))

    def is_live(self, nonce: bytes, now: float, source: bytes, realm: bytes) -> bool:
        """True when it is ours, for this source and realm, and still serves. Else the answer is another challenge, with
        `stale` (RFC 7616 §3.3)."""
        made = self._read(nonce, source, realm)
        return made is not None and made > self._floor and 0 <= now * 1000 - made + 1 < self._lifetime_s * 1000

    def use(self, nonce: bytes, count: int, now: float) -> bool:
        """Take one nonce-count of a live nonce, after its response was found right. False: it came before, or is too
        far below the highest."""
        if count <= 0:
            return False
        self._expire(now)
        seen = self._used.get(nonce)
        if seen is None:
            if len(self._used) >= MAX_NONCES:
                self._drop_oldest()
            self._used[nonce] = [count, 1]
            return True
        ahead = count - seen[0]
        if ahead > 0:
            seen[1] = (seen[1] << min(ahead, WINDOW) | 1) & ((1 << WINDOW) - 1)
            seen[0] = count
            return True
        bit = 1 << -ahead if -ahead < WINDOW else 0
        if not bit or seen[1] & bit:
            return False
        seen[1] |= bit
        return True

    def _expire(self, now: float) -> None:
        """Forget nonces that are too old to be live. First uses are only roughly in the order of making, so a younger
        one may hold up an older for its own lifetime."""
        while self._used:
            oldest = next(iter(self._used))
            if now * 1000 - _made(oldest) <= self._lifetime_s * 1000:
                return
            del self._used[oldest]

    def _drop_oldest(self) -> None:
        nonce, _ = self._used.popitem(last=False)
        self._floor = max(self._floor, _made(nonce))

    def _read(self, nonce: bytes, source: bytes, realm: bytes) -> int | None:
        """Milliseconds it was made at; None where it is not ours."""
        try:
            raw = urlsafe_b64decode(nonce) if len(nonce) <= 64 else b""
        except ValueError:
            return None
        if len(raw) != _HEAD + _MAC or urlsafe_b64encode(raw) != nonce:  # one spelling alone
            return None
        head = raw[:_HEAD]
        return _made(nonce) if compare_digest(raw[_HEAD:], self._mac(head, source, realm)) else None

    def _mac(self, head: bytes, source: bytes, realm: bytes) -> bytes:
        material = b"%b%b\0%b" % (head, source, realm)
        return blake2b(material, digest_size=_MAC, key=self._secret, person=b"cg-nonce").digest()


def _made(nonce: bytes) -> int:
    return int.from_bytes(urlsafe_b64decode(nonce)[:_TIME], "big")
