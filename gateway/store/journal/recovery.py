"""Opens a journal after whatever happened to it, and says what the worker must know to go on.

A retransmitted INVITE must find the verdict it already got, a call that was being set up when the worker died needs
its outcome record, a second BYE must not make a second end record. All that is read back from the last seconds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import msgspec

from gateway.store.journal.books import Books
from gateway.store.journal.calls import ActiveCalls
from gateway.store.journal.directory import lock_directory, sync_directory
from gateway.store.journal.head import go_on_after, read_head
from gateway.store.journal.lines import (
    MAX_PAYLOAD,
    JournalEnd,
    first_record,
    list_segments,
    segment_path,
    split_line,
)
from gateway.store.journal.syncer import Post
from gateway.store.journal.tail import find_end
from gateway.store.journal.writer import DEFAULT_SEGMENT_BYTES, JournalWriter, SyncMode

DEFAULT_ANSWERED_S: Final = 4 * 3600.0
"""The default of timers.max_call_hours."""

_PROBE_BYTES: Final = 1 << 16
"""Bisection by time stops when what is left is this short: then reading on is cheaper."""


class Decided(NamedTuple):
    """A verdict already given."""

    verdict: str
    rule: str
    status: int
    at: int
    """Epoch microseconds."""


@dataclass(slots=True)
class Recovery:
    """What was found. `decided`, `open_calls` and `ended` are from the last `keep_seconds`."""

    torn_bytes: int = 0
    """Bytes of a half-written end that were cut off."""
    records: int = 0
    """Records in the journal."""
    head: str = ""
    """Chain after the last of them."""
    decided: dict[str, Decided] = field(default_factory=dict)
    """Decision id to verdict."""
    open_calls: set[str] = field(default_factory=set)
    """Decision ids allowed, with no outcome record."""
    ended: set[str] = field(default_factory=set)
    """Decision ids with an end record."""
    settled: set[str] = field(default_factory=set)
    """Decision ids with an outcome record."""
    answered: dict[str, float] = field(default_factory=dict)
    """Decision id to the time it was answered (epoch seconds), for every call with no end record, in the order they
    were answered, however long ago: one that is older than a call may be is still owed its end record."""
    answered_known: bool = True
    """False: there was no file of the calls that are up, and more journal than can be read back; some may be missing
    in `answered`."""
    missing_records: int = 0
    """Records that were on disk once and are gone: the journal goes on after them. 0: none is known to be."""
    missing_from: int = 0
    """Number of the first of them."""


class _Line(msgspec.Struct):
    """The members of any record that recovery needs (msgspec skips the others)."""

    kind: str
    at: int = 0
    id: str = ""
    verdict: str = ""
    rule: str = ""
    status: int = 0


_line_decoder: Final = msgspec.json.Decoder(_Line)


def open_journal(
    directory: Path,
    *,
    keep_seconds: float,
    now: float,
    post: Post,
    answered_seconds: float = DEFAULT_ANSWERED_S,
    sync: SyncMode = "interval",
    interval_ms: int = 50,
    segment_bytes: int = DEFAULT_SEGMENT_BYTES,
) -> tuple[JournalWriter, Recovery]:
    """Make or open the journal in `directory`, whose name is the journal's name. Blocks on the disk: for the start.

    `now`: epoch seconds. `post`: see `JournalWriter`. `answered_seconds` (timers.max_call_hours): where there is no
    file of the calls that are up, calls answered longer ago than this are not looked for. Raises OSError:
    BlockingIOError when another process has the journal.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock_fd = lock_directory(directory)
    try:
        end, torn = find_end(directory)
        end = go_on_after(end, read_head(directory))
        recovery = Recovery(torn, end.records, end.chain.decode())
        if end.missing_from:
            recovery.missing_from, recovery.missing_records = end.missing_from, end.records - end.missing_from + 1
        read_back(directory, int((now - keep_seconds) * 1e6), recovery)
        calls = _find_answered(directory, end, int((now - answered_seconds) * 1e6), recovery)
        segments = list_segments(directory)
        books = Books(directory, calls, (segments and first_record(directory, segments[0])) or end.records + 1)
        writer = JournalWriter(
            directory, end, sync=sync, interval_ms=interval_ms, segment_bytes=segment_bytes, post=post,
            books=books, lock_fd=lock_fd,
        )  # fmt: skip
        sync_directory(directory)
    except BaseException:
        os.close(lock_fd)
        raise
    return writer, recovery


def read_back(directory: Path, since: int, recovery: Recovery) -> None:
    """Fill in what the records from `since` (epoch microseconds) on say. Lines that are no records are passed over.

    Records are in the order of their time but for a clock that is set back, which only makes more be read.
    """
    segments = list_segments(directory)
    start = len(segments)
    while start > 0:  # go back to the first segment that begins before `since`
        start -= 1
        first = _time_after(segment_path(directory, segments[start]), 0)
        if first is not None and first < since:
            break
    for segment in segments[start:]:
        with open(segment_path(directory, segment), "rb") as file:
            for line in _lines_since(file, since):
                _note(line, since, recovery)


def read_tail(directory: Path, size: int, recovery: Recovery) -> None:
    """`read_back`, of the last `size` bytes of the last segment."""
    segments = list_segments(directory)
    if not segments:
        return
    with open(segment_path(directory, segments[-1]), "rb") as file:
        if file.seek(0, os.SEEK_END) > size:
            file.seek(-size, os.SEEK_END)
            file.readline(MAX_PAYLOAD)  # the rest of a line
        else:
            file.seek(0)
        for line in file:
            record = _decode(line.rstrip(b"\n"))
            if record is not None:
                _note(record, 0, recovery)


def _find_answered(directory: Path, end: JournalEnd, since: int, recovery: Recovery) -> ActiveCalls:
    """Fill in `answered`. `since`: epoch microseconds, for what is read back."""
    calls = ActiveCalls(directory)
    loaded = calls.load()
    if not loaded:
        recovery.answered_known = calls.start_back(end.segment) or _begins_before(directory, calls, since)
    calls.catch_up(end.segment, end.size)
    if not loaded:
        calls.calls = {decision: at for decision, at in calls.calls.items() if at >= since}
    recovery.answered = {decision: at / 1e6 for decision, at in calls.calls.items()}
    return calls


def _begins_before(directory: Path, calls: ActiveCalls, since: int) -> bool:
    segment, offset = calls.position
    first = _time_after(segment_path(directory, segment), offset)
    return first is not None and first < since


def _note(line: _Line, since: int, recovery: Recovery) -> None:
    if line.at < since:
        return
    if line.kind == "decision":
        recovery.decided[line.id] = Decided(line.verdict, line.rule, line.status, line.at)
        if line.verdict == "allow":
            recovery.open_calls.add(line.id)
    elif line.kind == "outcome":
        recovery.open_calls.discard(line.id)
        recovery.settled.add(line.id)
    elif line.kind == "end":
        recovery.open_calls.discard(line.id)
        recovery.ended.add(line.id)


def _decode(line: bytes) -> _Line | None:
    parts = split_line(line)
    if parts is None:
        return None
    try:
        return _line_decoder.decode(parts[0])
    except ValueError:
        return None


def _time_after(path: Path, offset: int) -> int | None:
    """Time of the first whole record after a byte of a segment; None where it has none."""
    with open(path, "rb") as file:
        file.seek(offset)
        file.readline(MAX_PAYLOAD)
        record = _decode(file.readline(MAX_PAYLOAD).rstrip(b"\n"))
    return record.at if record is not None and record.at else None


def _lines_since(file: BinaryIO, since: int) -> Iterator[_Line]:
    """Records from about `since` on: bisects the file by time, then reads."""
    low, high = 0, os.fstat(file.fileno()).st_size
    while high - low > _PROBE_BYTES:
        middle = (low + high) // 2
        file.seek(middle)
        file.readline(MAX_PAYLOAD)
        probe = _decode(file.readline(MAX_PAYLOAD).rstrip(b"\n"))
        if probe is None or probe.at >= since:
            high = middle
        else:
            low = middle
    file.seek(low)
    file.readline(MAX_PAYLOAD)  # the rest of a line, or the header
    for line in file:
        record = _decode(line.rstrip(b"\n"))
        if record is not None:
            yield record
