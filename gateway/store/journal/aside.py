"""Sets the unreadable parts of a journal aside, so that reading (and shipping) goes on after them.

Nothing is altered and nothing deleted: the segments stay as they are, for `verify` to report; what cannot be read is
copied to `set-aside/` in the journal's directory, since shipped segments are dropped in time; and the gap is put on
record (`gaps`), with the numbers of the records that are missing. May be done while a worker writes and a shipper
reads.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.store.journal.directory import sync_directory
from gateway.store.journal.gaps import Gap, add_gap
from gateway.store.journal.head import Head, read_head
from gateway.store.journal.lines import chain_next, list_segments, read_header, segment_path, split_line
from gateway.store.journal.reader import JournalReader
from gateway.store.journal.rows import JournalBroken, Position

ASIDE_NAME: Final = "set-aside"

_RECORDS: Final = 10_000


def set_aside(directory: Path, position: Position | None = None, *, now: float) -> list[Gap]:
    """Put every part of the journal that cannot be read on record as a gap; which they were, in order.

    `position`: where reading stands (the shipper's checkpoint); None: at the journal's beginning. `now`: epoch
    seconds. Empty: all of it can be read. Raises JournalBroken where nothing that can be read follows yet (what was
    set aside before it stays so), OSError.
    """
    reader = JournalReader(directory)
    here = position or Position()
    gaps: list[Gap] = []
    while True:
        try:
            rows, after = reader.read(here, _RECORDS)
        except JournalBroken as error:
            reason = str(error).partition("; to go on")[0].replace(f"{directory}{os.sep}", "")
            gap = _make_gap(directory, here, reason, now)
            if not gap.leads_on_from(here):
                raise JournalBroken(f"{reason}; no way round it was found") from error
            add_gap(directory, gap)
            gaps.append(gap)
            continue
        if not rows and after == here:
            return gaps
        here = after


def _make_gap(directory: Path, here: Position, reason: str, now: float) -> Gap:
    segments = [number for number in list_segments(directory) if number >= here.segment]
    head = read_head(directory)
    for place, segment in enumerate(segments):
        after = _go_on_in(directory, segment, here, head, segments[place + 1 : place + 2])
        if after is not None:
            files = _keep(directory, here, after, segments[: place + 1])
            return Gap(
                int(now * 1e6), directory.name, here.seq + 1, after.seq, here.chain.decode(), after.chain.decode(),
                here.segment, here.offset, after.segment, after.offset, files, reason,
            )  # fmt: skip
    raise JournalBroken(f"{reason}; nothing that can be read follows it yet: try again when more calls were recorded")


def _go_on_in(directory: Path, segment: int, here: Position, head: Head | None, later: list[int]) -> Position | None:
    """Where in this segment reading can go on after `here`; None: nowhere."""
    content = segment_path(directory, segment).read_bytes()
    at_here = segment == here.segment and 0 < here.offset <= len(content)
    start, number, previous = here.offset, here.seq + 1, here.chain
    if not at_here:
        end = content.find(b"\n")
        header = read_header(content[: max(end, 0)])
        start = end + 1  # what stands for a header that is lost is no record either
        if header is not None:
            number, previous = header.first, header.previous.encode()
            after = Position(segment, 0, header.first - 1, previous)
            if _follows(here, after):
                return after
    lines = list(_lines(content, start, number, previous))
    for index, line in enumerate(lines):
        if line.good:
            before = _true_number(directory, lines[index:], head, later) - 1
            after = Position(segment, line.offset, before, line.previous)
            if _follows(here, after):
                return after
    return None


def _follows(here: Position, after: Position) -> bool:
    """Can reading go on at `after`? Not at what was read before, nor at another record of the same number."""
    return after.seq > here.seq or (after.seq == here.seq and after.chain == here.chain)


@dataclass(slots=True)
class _Line:
    offset: int
    number: int
    """Counted from where the number was known last: wrong where a newline was lost or lines are missing."""
    previous: bytes
    chain: bytes
    good: bool
    """It follows on the line before it."""


def _lines(content: bytes, start: int, number: int, previous: bytes) -> Iterator[_Line]:
    while (end := content.find(b"\n", start)) >= 0:
        parts = split_line(content[start:end])
        payload, chain = parts if parts is not None else (b"", b"")
        yield _Line(start, number, previous, chain, bool(chain) and chain_next(previous, payload) == chain)
        start, number, previous = end + 1, number + 1, chain


def _true_number(directory: Path, lines: list[_Line], head: Head | None, later: list[int]) -> int:
    """Number of the first of these lines, by what is known about one of those that follow on it: the next segment's
    header, or the head; else as counted."""
    good = 0
    while good < len(lines) and lines[good].good:
        good += 1
        if head is not None and lines[good - 1].chain == head.chain.encode():
            return head.seq - good + 1
    if good == len(lines) and later:
        with open(segment_path(directory, later[0]), "rb") as file:
            header = read_header(file.readline()[:-1])
        if header is not None and header.previous.encode() == lines[-1].chain:
            return header.first - good
    return lines[0].number


def _keep(directory: Path, here: Position, after: Position, segments: list[int]) -> tuple[str, ...]:
    """Copy what lies between; the files' names."""
    files: list[str] = []
    for segment in segments:
        with open(segment_path(directory, segment), "rb") as file:
            start = here.offset if segment == here.segment else 0
            file.seek(start)
            data = file.read(after.offset - start) if segment == after.segment else file.read()
        if not data or (segment == after.segment and after.offset <= start):
            continue
        kept = directory / ASIDE_NAME
        kept.mkdir(mode=0o700, exist_ok=True)
        name = f"{segment:08d}-{start}.part"
        with open(kept / name, "wb") as copy:
            copy.write(data)
            copy.flush()
            os.fsync(copy.fileno())
        files.append(f"{ASIDE_NAME}/{name}")
        sync_directory(kept)
    return tuple(files)
