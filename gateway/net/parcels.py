"""What workers hand to each other: messages, each with where it came from."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

Parcel = tuple[int, str, int, bytes]
"""(listener index, source host, source port, datagram)"""

MAX_BATCH: Final = 66_560
"""Bytes of one hand-over, more than one datagram of the greatest length; what a turn gathers beyond it goes out in
further ones."""

_HEAD: Final = struct.Struct("!HHBI")


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
