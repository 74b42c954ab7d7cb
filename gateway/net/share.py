"""Which worker a call belongs to: a hash of its Call-ID, the same for all messages of a call.

Not a parser: `call_id_of` only has to give the same bytes for all messages of a call, which it does for every message
that the parser takes; what it misreads is refused by the parser of whichever worker gets it. The share is computed
from so few octets, and so simply, that the kernel's filter can do the same (`net.steering`).
"""

from __future__ import annotations

from typing import Final
from zlib import crc32

PREFIX: Final = 32
"""Octets of a Call-ID that its share is made from."""

PRIME: Final = 16_777_213
"""The greatest below 2^24: a remainder and one more octet fit 32 bits."""

MIX: Final = ((16, 0x85EBCA6B), (13, 0xC2B2AE35))
LAST_SHIFT: Final = 16
"""The finalizer of MurmurHash3: a remainder alone would follow what Call-IDs count up."""

_NAMES: Final = (b"call-id", b"i")


def call_id_of(data: bytes) -> bytes:
    """The Call-ID value of a raw message, b"" where none is found."""
    end = data.find(b"\r\n\r\n")
    start = data.find(b"\r\nCall-ID:", 0, end)
    if start < 0 or end <= 0:
        return _search(data)
    start += 10
    value = data[start : data.find(b"\r\n", start)].strip(b" \t")
    # An empty one may be folded, and so may its end: RFC 3261 §7.3.1.
    return value or _search(data)


def _search(data: bytes) -> bytes:
    """Any spelling: compact, any case, blanks before the colon, folded. One pass over the header part."""
    head = data.lstrip(b"\r\n").partition(b"\r\n\r\n")[0]
    lines = head.split(b"\r\n")
    for number, line in enumerate(lines):
        name, colon, value = line.partition(b":")
        if not colon or name.rstrip(b" \t").lower() not in _NAMES:
            continue
        value = value.strip(b" \t")
        while not value and number + 1 < len(lines) and lines[number + 1][:1] in (b" ", b"\t"):
            number += 1
            value = lines[number].strip(b" \t")
        return value
    return b""


def share_of(call_id: bytes, count: int) -> int:
    """The worker of `count` that a call belongs to."""
    mixed = int.from_bytes(call_id[:PREFIX]) % PRIME
    for shift, factor in MIX:
        mixed = (mixed ^ mixed >> shift) * factor & 0xFFFFFFFF
    return (mixed ^ mixed >> LAST_SHIFT) % count


def mark_of(call_id: bytes) -> int:
    """32 bits that stand for one call where workers tell each other of it."""
    return crc32(call_id)
