"""The journal's head beside its segments: number and chain of the last record that is on disk.

A directory that was emptied or cut goes on after the head, so that no number is given twice and the chain is the one
that was shipped; and it is known how many records are gone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from gateway.store.journal.directory import replace_file
from gateway.store.journal.lines import FULL, JournalEnd

HEAD_NAME: Final = "head"


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
    try:
        head = _decoder.decode((directory / HEAD_NAME).read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    whole = head.seq >= 0 and head.segment >= 0 and len(head.chain) == 32 and head.chain.isascii()
    return head if whole else None


def write_head(directory: Path, head: Head) -> None:
    """Replace the head. Raises OSError, with the old one kept."""
    replace_file(directory / HEAD_NAME, (_encode(head) + b"\n",))


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
