"""Finds where a journal ends and cuts off what a crash left half-written.

The torn tail is everything after the last line whose digits follow from the line before it. A line that does not fit
but has good lines after it is damage, not a torn tail: it stays, for `verify` to report.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from gateway.store.journal.lines import (
    FULL,
    GENESIS,
    MAX_PAYLOAD,
    JournalEnd,
    chain_next,
    list_segments,
    read_header,
    segment_path,
    split_line,
)

_BLOCK: Final = 4 << 20
"""Read from the end at a time; more than one record, so that a block holds whole lines."""


@dataclass(slots=True)
class _Tail:
    """The last good line of a segment: its digits, and the offset after it."""

    chain: bytes
    size: int


def find_end(directory: Path) -> tuple[JournalEnd, int]:
    """(the end, bytes of torn tail cut off). A last segment without a whole header is removed. Raises OSError."""
    torn = 0
    segments = list_segments(directory)
    while segments:
        segment = segments.pop()
        path = segment_path(directory, segment)
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            header_line = file.readline(MAX_PAYLOAD)
            header = read_header(header_line[:-1]) if header_line.endswith(b"\n") else None
            if header is not None:
                tail = _last_good(file, len(header_line), size, header.previous.encode())
                records = header.first - 1 + _count_lines(file, len(header_line), tail.size)
        if header is not None:
            if tail.size < size:
                os.truncate(path, tail.size)
            return JournalEnd(segment, tail.size, records, tail.chain, header.first), torn + size - tail.size
        if _holds_records(path):
            return _after_damaged_header(directory, segments, segment), torn
        torn += size
        path.unlink()
    return JournalEnd(0, 0, 0, GENESIS), torn


def _after_damaged_header(directory: Path, earlier: list[int], segment: int) -> JournalEnd:
    """The header is lost but records follow: they stay, for `verify` to report, and a new segment is begun."""
    before = 0
    if earlier:
        before = _records_up_to(directory, earlier[-1])
    path = segment_path(directory, segment)
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        tail = _last_good(file, 0, size, GENESIS)
        records = before + max(0, _count_lines(file, 0, size) - 1)
    return JournalEnd(segment, FULL, records, tail.chain, before + 1)


def _records_up_to(directory: Path, segment: int) -> int:
    with open(segment_path(directory, segment), "rb") as file:
        line = file.readline(MAX_PAYLOAD)
        header = read_header(line[:-1])
        size = os.fstat(file.fileno()).st_size
        return (header.first - 1 if header is not None else 0) + _count_lines(file, len(line), size)


def _last_good(file: BinaryIO, start: int, size: int, previous: bytes) -> _Tail:
    """Search backwards, block by block, for the last line that follows from the one before it."""
    block = _BLOCK
    while True:
        at = max(start, size - block)
        file.seek(at)
        data = file.read(size - at)
        if at > start:  # the first line is cut: its end serves as the "line before"
            cut = data.find(b"\n") + 1
            at, data = at + cut, data[cut:]
        tail = _last_good_in(data, at, previous if at == start else None)
        if tail is not None:
            return tail
        if at == start:
            return _Tail(previous, start)
        block *= 4


def _last_good_in(data: bytes, at: int, previous: bytes | None) -> _Tail | None:
    """`at`: offset of `data`, which begins at a line. `previous` None: the first line has nothing to follow from."""
    end = data.rfind(b"\n")
    while end >= 0:
        begin = data.rfind(b"\n", 0, end) + 1
        parts = split_line(data[begin:end])
        if parts is not None:
            before = data[begin - 33 : begin - 1] if begin >= 33 else previous
            if before is not None and parts[1] == chain_next(before, parts[0]):
                return _Tail(parts[1], at + end + 1)
        end = begin - 1
    return None


def _count_lines(file: BinaryIO, start: int, end: int) -> int:
    file.seek(start)
    lines = 0
    while start < end:
        data = file.read(min(_BLOCK, end - start))
        if not data:
            break
        lines += data.count(b"\n")
        start += len(data)
    return lines


def _holds_records(path: Path) -> bool:
    """Anything after the first line? A crash while a segment is made leaves a part of one line, or zeros."""
    with open(path, "rb") as file:
        file.readline(MAX_PAYLOAD)
        return bool(file.read(1 << 16).strip(b"\0"))
