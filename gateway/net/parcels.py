"""What workers hand to each other: a message with where it came from, and the mark that says whose it is.

Not a parser: `call_id_of` only has to give the same bytes for all messages of a call, which it does for every message
that the parser takes; what it misreads is refused by the parser of whichever worker gets it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from zlib import crc32

Parcel = tuple[int, str, int, bytes]
"""(listener index, source host, source port, datagram)"""

MAX_BATCH = 66_560
"""Bytes of one hand-over, more than one datagram of the greatest length; what a turn gathers beyond it goes out in
further ones."""

_HEAD = struct.Struct("!HHBI")
_NAMES = (b"call-id", b"i")


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


def mark_of(data: bytes) -> int:
    """32 bits that stand for a message's call; -1: it has no Call-ID."""
    call_id = call_id_of(data)
    return crc32(call_id) if call_id else -1


def share_of(mark: int, count: int) -> int:
    """The worker of `count` that a call belongs to. (Multiplied, because a CRC's low bits alone follow a counter.)"""
    return ((mark * 0x9E3779B1 & 0xFFFFFFFF) >> 8) % count


def pack(listener: int, host: str, port: int, data: bytes) -> bytes:
    """One message as it is handed over."""
    name = host.encode()
    return _HEAD.pack(listener, port, len(name), len(data)) + name + data


def unpack(batch: bytes, at: int = 0) -> list[Parcel]:
    """The messages of one hand-over, from byte `at` on. Raises ValueError when it is not one."""
    found: list[Parcel] = []
    total = len(batch)
    try:
        while at < total:
            listener, port, name, size = _HEAD.unpack_from(batch, at)
            at += _HEAD.size
            host = batch[at : at + name].decode("ascii")
            at += name
            data = batch[at : at + size]
            at += size
            found.append((listener, host, port, data))
    except struct.error as error:
        raise ValueError(str(error)) from error
    if at != total:
        raise ValueError("a message that is cut off")
    return found


def batches(parcels: list[bytes]) -> Iterator[list[bytes]]:
    """Packed messages in their order, at most `MAX_BATCH` bytes at a time."""
    size = 0
    batch: list[bytes] = []
    for parcel in parcels:
        if batch and size + len(parcel) > MAX_BATCH:
            yield batch
            batch, size = [], 0
        batch.append(parcel)
        size += len(parcel)
    if batch:
        yield batch
