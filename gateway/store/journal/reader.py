"""Reads a journal onward from a position, for the shipper: whole records, checked and durable, in order.

Only what is on disk is handed out (the reader syncs what it read, first): a record that was shipped is never lost
here by a power cut, so its number is never given to another.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from gateway.store.journal.gaps import find_gap
from gateway.store.journal.lines import (
    MAX_PAYLOAD,
    TRAILER,
    SegmentHeader,
    chain_next,
    list_segments,
    read_header,
    segment_path,
    set_aside_advice,
    split_line,
)
from gateway.store.journal.rows import JournalBroken, JournalForeign, JournalRow, Position

__all__ = ["MAX_BATCH", "READ_BYTES", "JournalBroken", "JournalForeign", "JournalReader", "JournalRow", "Position"]

READ_BYTES: Final = 2 * (MAX_PAYLOAD + TRAILER)
"""Read at a time: more than the longest line, so that progress is always possible."""


MAX_BATCH: Final = 16 << 20
"""Bytes of records after which a batch is long enough: strangers choose how long records are (up to MAX_PAYLOAD)."""

_DIGITS: Final = 33
"""Bytes at the end of a line: 32 hex digits, newline."""


class JournalReader:
    """Reads one journal's directory. Blocks on the disk: call it in a thread."""

    __slots__ = ("_counted", "directory")

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._counted = (0, 0, 0)

    def begun(self) -> bool:
        """Is there any segment yet? Raises OSError."""
        return bool(list_segments(self.directory))

    def check(self, position: Position) -> None:
        """Prove that a `position` that was kept elsewhere was taken from this journal: the last record before it has
        its chain, or a gap that was put on record begins there. Raises JournalForeign, which says what is there
        instead, JournalBroken where records were lost after it, and OSError."""
        if not position.seq or find_gap(self.directory, position) is not None:
            return
        segments = list_segments(self.directory)
        later = [number for number in segments if number >= position.segment]
        if not later:
            raise JournalForeign(f"the journal ends with segment {segments[-1] if segments else 0}")
        path = segment_path(self.directory, later[0])
        offset = position.offset if later[0] == position.segment else 0
        with open(path, "rb") as file:
            line = file.readline(MAX_PAYLOAD)
            header = read_header(line[:-1])
            if offset > len(line):
                file.seek(offset - _DIGITS)
                found = file.read(_DIGITS)
                if found != position.chain + b"\n":
                    raise JournalForeign(f"{path.name} {_what_is(found)}{_of(header, self.directory)}")
            elif header is not None and (header.first, header.previous.encode()) != (position.seq + 1, position.chain):
                if header.missing_from and header.journal == self.directory.name and header.first > position.seq:
                    _check_header(path, line[:-1], position.seq, position.chain)
                begins = f"{path.name} begins with record {header.first}{_of(header, self.directory)}"
                if header.journal == self.directory.name and header.first > position.seq + 1:
                    begins += f" (if the ones before were deleted, {set_aside_advice(self.directory)})"
                raise JournalForeign(begins)

    def read(self, position: Position, max_records: int) -> tuple[list[JournalRow], Position]:
        """Up to `max_records` records after `position`, little more than MAX_BATCH bytes, and the position after them.

        Nothing new: no rows. Raises JournalBroken when the next record does not follow on the last, OSError.
        """
        rows: list[JournalRow] = []
        size = 0
        while len(rows) < max_records and size < MAX_BATCH:
            before, fresh = position, len(rows)
            try:
                position = self._read_some(position, rows, max_records)
            except JournalBroken:
                if rows:
                    break  # hand out what is good first
                gap = find_gap(self.directory, position)
                if gap is None:
                    raise
                position = gap.after()
                if gap.records > 0:
                    rows.append(gap.row())
            if position == before and len(rows) == fresh:
                break
            size += sum(len(row.payload) for row in rows[fresh:])
        return rows, position

    def last_record(self) -> int:
        """Number of the last record there, 0 for none. Reads only what was added since it was last asked."""
        segments = list_segments(self.directory)
        while segments:
            segment = segments.pop()
            seen, offset, records = self._counted
            with open(segment_path(self.directory, segment), "rb") as file:
                if seen != segment or os.fstat(file.fileno()).st_size < offset:
                    line = file.readline(MAX_PAYLOAD)
                    header = read_header(line[:-1])
                    if header is None:
                        continue
                    offset, records = len(line), header.first - 1
                file.seek(offset)
                while data := file.read(READ_BYTES):
                    lines = data.count(b"\n")
                    if not lines:
                        break
                    records += lines
                    offset += data.rfind(b"\n") + 1
                    file.seek(offset)
            self._counted = (segment, offset, records)
            return records
        return 0

    def drop_before(self, segment: int, older_than: float) -> list[int]:
        """Delete the segments below `segment` last written before `older_than` (epoch seconds); which they were."""
        dropped = []
        for number in list_segments(self.directory):
            path = segment_path(self.directory, number)
            if number >= segment or path.stat().st_mtime >= older_than:
                break  # in order: a hole would look like a lost segment
            path.unlink()
            dropped.append(number)
        return dropped

    def _read_some(self, position: Position, rows: list[JournalRow], max_records: int) -> Position:
        """One block of one segment."""
        present = list_segments(self.directory)
        segments = [number for number in present if number >= position.segment]
        if not segments:
            if present:
                ends = f"{self.directory} ends with segment {present[-1]}, {position.segment} is next"
                raise JournalBroken(f"{ends}; {set_aside_advice(self.directory)}")
            return position
        if segments[0] != position.segment:
            position = Position(segments[0], 0, position.seq, position.chain)
        path = segment_path(self.directory, position.segment)
        data = self._durable(path, position.offset)
        used, position = _take(path, data, position, rows, max_records)
        # The segments were listed before this one was read: when there is a later one, this one is complete.
        if used == len(data) < READ_BYTES and len(segments) > 1 and position.offset:
            return Position(segments[1], 0, position.seq, position.chain)
        if used == 0 and len(segments) > 1 and not rows:
            half = f"{path} ends in half a record (record {position.seq + 1}), and segment {segments[1]} goes on"
            raise JournalBroken(f"{half}; {set_aside_advice(self.directory)}")
        return position

    def _durable(self, path: Path, offset: int) -> bytes:
        """What is in the file from `offset` on, once it is on disk. Empty too while it is being changed under us
        (a writer takes half a batch back when the disk is full)."""
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if os.fstat(fd).st_size < offset:
                short = f"{path} is shorter than what was read from it ({offset} bytes)"
                raise JournalBroken(f"{short}; {set_aside_advice(self.directory)}")
            data = os.pread(fd, READ_BYTES, offset)
            if not data:
                return data
            os.fdatasync(fd)
            return data if os.pread(fd, len(data), offset) == data else b""
        finally:
            os.close(fd)


def _take(
    path: Path, data: bytes, position: Position, rows: list[JournalRow], max_records: int
) -> tuple[int, Position]:
    """Whole lines of `data` into `rows`; how many bytes were used, and the position after them."""
    used, seq, chain = 0, position.seq, position.chain
    while len(rows) < max_records:
        end = data.find(b"\n", used)
        if end < 0:
            if len(data) - used >= READ_BYTES:
                place = _place(path, position.offset + used, seq)
                raise JournalBroken(f"{path}: a line longer than any record {place}")
            break
        line = data[used:end]
        if position.offset + used == 0:
            header = _check_header(path, line, seq, chain)
            seq, chain = header.first - 1, header.previous.encode()
        else:
            parts = split_line(line)
            if parts is None or parts[1] != chain_next(chain, parts[0]):
                if rows:
                    break  # hand out what is good first
                altered = f"record {seq + 1} was altered, or the one before it is missing"
                raise JournalBroken(f"{path}: {altered} {_place(path, position.offset + used, seq)}")
            seq, chain = seq + 1, parts[1]
            rows.append(JournalRow(seq, parts[0], chain))
        used = end + 1
    return used, Position(position.segment, position.offset + used, seq, chain)


def _check_header(path: Path, line: bytes, seq: int, chain: bytes) -> SegmentHeader:
    """The header, which must go on where the segment before ended. At the very beginning it is believed: older
    segments may be shipped and gone."""
    header = read_header(line)
    if header is None:
        raise JournalBroken(f"{path}: the header was altered {_place(path, 0, seq)}")
    if seq and (header.first != seq + 1 or header.previous.encode() != chain):
        begins = f"{path} begins with record {header.first}, but record {seq + 1} is next"
        raise JournalBroken(f"{begins}; {set_aside_advice(path.parent)}")
    return header


def _place(path: Path, offset: int, seq: int) -> str:
    """Where in the file that is, and what to do about it."""
    with open(path, "rb") as file:
        line = file.read(offset).count(b"\n") + 1
    return f"(line {line}, byte {offset}, after record {seq}); {set_aside_advice(path.parent)}"


def _what_is(found: bytes) -> str:
    """What stands where the last record's chain should."""
    if len(found) < _DIGITS:
        return "ends before that"
    if found[-1:] != b"\n":
        return "has no record that ends there"
    return f"has chain {found[:-1].decode('ascii', 'replace')} there"


def _of(header: SegmentHeader | None, directory: Path) -> str:
    if header is None or header.journal == directory.name:
        return ""
    return f", and is a segment of journal {header.journal}"
