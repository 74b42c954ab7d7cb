"""Reads a journal onward from a position, for the shipper: whole records, checked and durable, in order.

Only what is on disk is handed out (the reader syncs what it read, first): a record that was shipped is never lost
here by a power cut, so its number is never given to another.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from gateway.store.journal.lines import (
    GENESIS,
    MAX_PAYLOAD,
    TRAILER,
    SegmentHeader,
    chain_next,
    list_segments,
    read_header,
    segment_path,
    split_line,
)

READ_BYTES: Final = 2 * (MAX_PAYLOAD + TRAILER)
"""Read at a time: more than the longest line, so that progress is always possible."""


class JournalBroken(Exception):
    """The journal does not go on where it was left: altered, cut or exchanged. Somebody must look."""


class JournalRow(NamedTuple):
    """One record."""

    seq: int
    payload: bytes
    chain: bytes
    """Chain after it, 32 hex digits."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where to go on: byte `offset` in `segment`, after record `seq` with its `chain`. All nought: the beginning."""

    segment: int = 0
    offset: int = 0
    seq: int = 0
    chain: bytes = GENESIS


class JournalReader:
    """Reads one journal's directory. Blocks on the disk: call it in a thread."""

    __slots__ = ("_counted", "directory")

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._counted = (0, 0, 0)

    def read(self, position: Position, max_records: int) -> tuple[list[JournalRow], Position]:
        """Up to `max_records` records after `position`, and the position after them.

        Nothing new: no rows. Raises JournalBroken when the next record does not follow on the last, OSError.
        """
        rows: list[JournalRow] = []
        while len(rows) < max_records:
            before, fresh = position, len(rows)
            try:
                position = self._read_some(position, rows, max_records)
            except JournalBroken:
                if rows:
                    break  # hand out what is good first
                raise
            if position == before and len(rows) == fresh:
                break
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
        segments = [number for number in list_segments(self.directory) if number >= position.segment]
        if not segments:
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
            raise JournalBroken(f"{path} ends in half a record, and segment {segments[1]} goes on")
        return position

    def _durable(self, path: Path, offset: int) -> bytes:
        """What is in the file from `offset` on, once it is on disk. Empty too while it is being changed under us
        (a writer takes half a batch back when the disk is full)."""
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if os.fstat(fd).st_size < offset:
                raise JournalBroken(f"{path} is shorter than what was read from it ({offset} bytes)")
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
                raise JournalBroken(f"{path}: a line longer than any record after record {seq}")
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
                raise JournalBroken(f"{path}: record {seq + 1} was altered, or the one before it is missing")
            seq, chain = seq + 1, parts[1]
            rows.append(JournalRow(seq, parts[0], chain))
        used = end + 1
    return used, Position(position.segment, position.offset + used, seq, chain)


def _check_header(path: Path, line: bytes, seq: int, chain: bytes) -> SegmentHeader:
    """The header, which must go on where the segment before ended. At the very beginning it is believed: older
    segments may be shipped and gone."""
    header = read_header(line)
    if header is None:
        raise JournalBroken(f"{path}: the header was altered")
    if seq and (header.first != seq + 1 or header.previous.encode() != chain):
        raise JournalBroken(f"{path} begins with record {header.first}, but record {seq + 1} is next")
    return header
