"""Opens a journal after whatever happened to it, and says what the worker must know to go on.

A retransmitted INVITE must find the verdict it already got, a call that was being set up when the worker died needs
its outcome record, a second BYE must not make a second end record. All that is read back from the last seconds.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import msgspec

from gateway.store.journal.lines import LOCK_NAME, MAX_PAYLOAD, list_segments, segment_path, split_line
from gateway.store.journal.syncer import Post, sync_directory
from gateway.store.journal.tail import find_end
from gateway.store.journal.writer import DEFAULT_SEGMENT_BYTES, JournalWriter, SyncMode

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
    """What was found. Only records of the last `keep_seconds` are looked at."""

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
    sync: SyncMode = "interval",
    interval_ms: int = 50,
    segment_bytes: int = DEFAULT_SEGMENT_BYTES,
) -> tuple[JournalWriter, Recovery]:
    """Make or open the journal in `directory`, whose name is the journal's name. Blocks on the disk: for the start.

    `now`: epoch seconds. `post`: see `JournalWriter`. Raises OSError: BlockingIOError when another process has it.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock_fd = _lock(directory)
    try:
        end, torn = find_end(directory)
        recovery = Recovery(torn, end.records, end.chain.decode())
        read_back(directory, int((now - keep_seconds) * 1e6), recovery)
        writer = JournalWriter(
            directory, end, sync=sync, interval_ms=interval_ms, segment_bytes=segment_bytes, post=post,
            lock_fd=lock_fd,
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
        first = _first_time(segment_path(directory, segments[start]))
        if first is not None and first < since:
            break
    for segment in segments[start:]:
        with open(segment_path(directory, segment), "rb") as file:
            for line in _lines_since(file, since):
                _note(line, since, recovery)


def _note(line: _Line, since: int, recovery: Recovery) -> None:
    if line.at < since:
        return
    if line.kind == "decision":
        recovery.decided[line.id] = Decided(line.verdict, line.rule, line.status, line.at)
        if line.verdict == "allow":
            recovery.open_calls.add(line.id)
    elif line.kind == "outcome":
        recovery.open_calls.discard(line.id)
    elif line.kind == "end":
        recovery.open_calls.discard(line.id)
        recovery.ended.add(line.id)


def _lock(directory: Path) -> int:
    fd = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise type(error)(error.errno, f"journal {directory} is written by another process") from error
    return fd


def _decode(line: bytes) -> _Line | None:
    parts = split_line(line)
    if parts is None:
        return None
    try:
        return _line_decoder.decode(parts[0])
    except ValueError:
        return None


def _first_time(path: Path) -> int | None:
    """Time of a segment's first record; None where it has none."""
    with open(path, "rb") as file:
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
