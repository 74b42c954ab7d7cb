"""Ids that were seen, in flat storage: a bounded set whose memory neither grows nor lies about in small pieces.

Millions of ids pass through a worker, and each is remembered for minutes. As objects in a dict they would lie between
what is freed a moment later, and a minute of overload would be paid with hundreds of megabytes for as long as they are
kept: an allocator gives back only what is free as a whole.

Of an id its hash is kept, 64 bits of SipHash under this process's own seed: one of 262,144 ids is taken for another by
chance once in 10**14 questions. The hash chooses a bucket, and in a full bucket the oldest makes room.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, final

WAYS: Final = 32
"""Ids in a bucket. Of the last half of `limit` ids one in a million is then pushed out before its time."""

_WIDTH: Final = 8
_BUCKET: Final = WAYS * _WIDTH
_pack: Final = Struct("<q").pack
MAX_BUCKETS: Final = 1 << 16


@final
class Seen:
    """A bounded set: what was added last is in it, what was added long ago is not."""

    __slots__ = ("_mask", "_next", "_table")

    def __init__(self, limit: int) -> None:
        """At least half of `limit` of the last ids are kept, and at most the next power of two above it."""
        buckets = min(1 << (max(limit - 1, 0) // WAYS).bit_length(), MAX_BUCKETS)
        self._mask = buckets - 1
        self._table = bytearray(b"\xff") * (buckets * _BUCKET)
        """Hashes, of each bucket one after the other. An empty place holds -1, which no hash is."""
        self._next = bytearray(buckets)
        """Of each bucket the place that is written next."""

    def __contains__(self, key: bytes) -> bool:
        code: bytes = _pack(hash(key))
        start = ((code[0] | code[1] << 8) & self._mask) * _BUCKET
        return self._table.find(code, start, start + _BUCKET) >= 0

    def add(self, key: bytes) -> bool:
        """Remember an id. False: it was in the set, and stays as old as it is."""
        code: bytes = _pack(hash(key))
        bucket = (code[0] | code[1] << 8) & self._mask
        start = bucket * _BUCKET
        table = self._table
        if table.find(code, start, start + _BUCKET) >= 0:
            return False
        place = self._next[bucket]
        self._next[bucket] = (place + 1) % WAYS
        start += place * _WIDTH
        table[start : start + _WIDTH] = code
        return True
