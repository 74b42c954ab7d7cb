"""Gaps on record: parts of a journal that cannot be read, which somebody has set aside so that reading can go on.

Kept in the file `gaps` beside the segments, one JSON object a line, only ever added to. A reader that comes to such a
place hands the gap out as a row of its own: what is shipped says which records are missing, when that was found and
where what was left of them is kept.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from gateway.store.journal.directory import sync_directory
from gateway.store.journal.rows import JournalRow, Position

GAPS_NAME: Final = "gaps"

MAX_GAPS_BYTES: Final = 1 << 20
"""Read of the file: thousands of gaps, each made by a person's command."""


class Gap(msgspec.Struct, frozen=True, tag="gap", tag_field="kind"):
    """Records `first` to `last` are missing; none where `last` is below `first` (a header was lost)."""

    at: int
    """When it was set aside, epoch microseconds."""
    journal: str
    first: int
    last: int
    previous: str
    """Chain before `first`."""
    chain: str
    """Chain after `last`."""
    segment: int
    offset: int
    """Where the part that cannot be read begins, and where reading goes on:"""
    to_segment: int
    to_offset: int
    files: tuple[str, ...]
    """Copies of that part, in the journal's directory; empty where nothing was left."""
    reason: str

    @property
    def records(self) -> int:
        """How many records are missing."""
        return self.last - self.first + 1

    def leads_on_from(self, position: Position) -> bool:
        """Does reading at `position` come to this gap next?"""
        begins_here = self.first == position.seq + 1 and self.previous.encode() == position.chain
        here = (position.segment, position.offset, position.seq)
        return begins_here and (self.to_segment, self.to_offset, self.last) > here

    def after(self) -> Position:
        """Where reading goes on."""
        return Position(self.to_segment, self.to_offset, self.last, self.chain.encode())

    def row(self) -> JournalRow:
        """The gap as it is shipped."""
        return JournalRow(self.last, _encode(self), self.chain.encode())


_decoder: Final = msgspec.json.Decoder(Gap)
_encode: Final = msgspec.json.Encoder().encode


def read_gap(payload: bytes) -> Gap | None:
    """The gap that a row is; None: it is a record."""
    if not payload.startswith(b'{"kind":"gap"'):
        return None
    try:
        return _decoder.decode(payload)
    except ValueError:
        return None


def gap_follows(seq: int, chain: bytes, row_seq: int, payload: bytes, row_chain: bytes) -> bool:
    """Is this row a gap that begins right after record `seq` with its `chain`, and ends with the row's number and
    chain? For whoever checks the chain of what is shipped (store.sql)."""
    gap = read_gap(payload)
    if gap is None or gap.records < 1:
        return False
    begins, ends = (gap.first, gap.previous.encode()), (gap.last, gap.chain.encode())
    return begins == (seq + 1, chain) and ends == (row_seq, row_chain)


def read_gaps(directory: Path) -> list[Gap]:
    """Those on record, oldest first; lines that are none are passed over. Raises OSError."""
    try:
        with open(directory / GAPS_NAME, "rb") as file:
            lines = file.read(MAX_GAPS_BYTES).split(b"\n")
    except FileNotFoundError:
        return []
    return [gap for line in lines if (gap := read_gap(line)) is not None]


def find_gap(directory: Path, position: Position) -> Gap | None:
    """The gap that reading at `position` comes to, the newest if there are several. Raises OSError."""
    found = [gap for gap in read_gaps(directory) if gap.leads_on_from(position)]
    return found[-1] if found else None


def add_gap(directory: Path, gap: Gap) -> None:
    """Put a gap on record, durably. Raises OSError."""
    fd = os.open(directory / GAPS_NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, _encode(gap) + b"\n")
        os.fsync(fd)
    finally:
        os.close(fd)
    sync_directory(directory)
