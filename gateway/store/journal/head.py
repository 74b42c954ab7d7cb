"""The journal's head beside its segments: number and chain of the last record that is on disk.

A directory that was emptied or cut goes on after the head, so that no number is given twice and the chain is the one
that was shipped; and it is known how many records are gone.
"""

from __future__ import annotations

import errno
import os
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec

from gateway.store.journal.lines import FULL, JournalEnd

HEAD_NAME: Final = "head"

HEAD_BYTES: Final = 256
"""Every head is filled up to as many: it is written over the one before, within one sector of any disk. A file put in
its place by rename costs a journal transaction of the file system, twenty times a second."""

_CHECK: Final = b',"check":"'
_CHECK_BYTES: Final = 8
_TRIES: Final = 3
"""A reader may meet the writer half way. It is done with it a microsecond later."""


class Head(msgspec.Struct, frozen=True):
    """As of the last sync."""

    seq: int
    """Number of the last record."""
    chain: str
    """Chain after it, 32 hex digits."""
    segment: int
    """Number of the segment it is in, or of a newer one."""
    first: int = 1
    """Number of the first record in the directory: those before it were shipped and dropped."""


_decoder: Final = msgspec.json.Decoder(Head)
_encode: Final = msgspec.json.Encoder().encode


def read_head(directory: Path) -> Head | None:
    """The head kept there; None where there is none, or no whole one. Raises OSError."""
    head: Head | None = None
    for _ in range(_TRIES):
        try:
            head = _read(directory / HEAD_NAME)
        except FileNotFoundError:
            return None
        if head is not None:
            break
    else:
        return None
    whole = head.seq >= 0 and head.segment >= 0 and len(head.chain) == 32 and head.chain.isascii()
    return head if whole else None


def write_head(directory: Path, head: Head) -> None:
    """Write over the head. Raises OSError. Not synced: after a power cut it may be the old one."""
    text = _encode(head)[:-1]
    line = text + _CHECK + _check(text) + b'"}'
    fd = os.open(directory / HEAD_NAME, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.pwrite(fd, line.ljust(HEAD_BYTES - 1) + b"\n", 0) != HEAD_BYTES:
            raise OSError(errno.ENOSPC, f"no room for {directory / HEAD_NAME}")
    finally:
        os.close(fd)


def _read(path: Path) -> Head | None:
    """None: not whole. A head without check is one of an older version, which put it in place by rename."""
    content = path.read_bytes()
    text, mark, rest = content.partition(_CHECK)
    if mark and rest[:_CHECK_BYTES] != _check(text):
        return None
    try:
        return _decoder.decode(content)
    except ValueError:
        return None


def _check(text: bytes) -> bytes:
    return blake2b(text, digest_size=_CHECK_BYTES // 2).hexdigest().encode()


def go_on_after(end: JournalEnd, head: Head | None) -> JournalEnd:
    """`end` as the segments show it, or where the head says that more was there."""
    if head is None or (head.seq <= end.records and head.segment <= end.segment):
        return end
    if head.seq <= end.records:  # a segment without records is gone: its number is not used again
        return JournalEnd(head.segment, FULL, end.records, end.chain, end.first)
    missing_from = end.records + 1 if end.segment else max(1, head.first)
    if missing_from > head.seq:  # the one segment held no record yet
        missing_from = 0
    return JournalEnd(max(end.segment, head.segment), FULL, head.seq, head.chain.encode(), missing_from=missing_from)
