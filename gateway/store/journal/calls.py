"""Which calls are up, by the journal: answered, with no end record yet.

A restarted worker must know them: `trunk-capacity` counts them, and each is owed an end record. Reading hours back
would take minutes, so the sync thread keeps them in a small file beside the segments, with the place in the journal up
to which it is true. What was written after that place is read at the start: nothing is missed, however old the file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from gateway.store.journal.directory import replace_file
from gateway.store.journal.lines import MAX_PAYLOAD, TRAILER, list_segments, segment_path, split_line

CALLS_NAME: Final = "calls"

MAX_CALLS: Final = 1_000_000
"""Remembered; beyond it the oldest are forgotten, as the gatekeeper does."""

MAX_READ_BACK: Final = 64 << 20
"""Bytes read back where there is no such file: a third of a second. About 100,000 records."""

_BLOCK: Final = 256 << 10
_LONGEST: Final = 2 * (MAX_PAYLOAD + TRAILER)
_SLICE: Final = 1_000
"""Calls written at a time: the event loop gets its turn between the writes."""

# What msgspec makes of `OutcomeRecord` and `EndRecord`: the tag is first.
_KINDS: Final = (b'{"kind":"outcome"', b'{"kind":"end"')


class _Line(msgspec.Struct):
    """The members of an outcome or end record that count here."""

    kind: str
    id: str
    at: int = 0
    result: str = ""


_decoder: Final = msgspec.json.Decoder(_Line)


class ActiveCalls:
    """Owned by one thread at a time: the opener's, then the sync thread."""

    __slots__ = ("_directory", "_offset", "_segment", "calls")

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._segment = 0
        self._offset = 0
        self.calls: dict[str, int] = {}
        """Decision id to the time it was answered (epoch microseconds), in the order of the journal."""

    @property
    def position(self) -> tuple[int, int]:
        """Segment and offset up to which the journal was read."""
        return self._segment, self._offset

    def load(self) -> bool:
        """Take up what was saved. False: there is nothing whole. Raises OSError."""
        try:
            first, *lines, last, rest = (self._directory / CALLS_NAME).read_bytes().split(b"\n")
            word, segment, offset, count = first.split(b" ")
            if (word, last, rest) != (b"calls", b"end", b"") or int(count) != len(lines):
                return False
            calls: dict[str, int] = {}
            for line in lines:
                decision, _, at = line.partition(b" ")
                calls[decision.decode("ascii")] = int(at)
            self._segment, self._offset, self.calls = int(segment), int(offset), calls
        except (FileNotFoundError, ValueError):
            return False
        return True

    def start_back(self, newest: int) -> bool:
        """Begin at most MAX_READ_BACK bytes before the end of segment `newest`; False: something lies before that."""
        left = MAX_READ_BACK
        for segment in reversed([number for number in list_segments(self._directory) if number <= newest]):
            size = os.stat(segment_path(self._directory, segment)).st_size
            self._segment, self._offset = segment, max(0, size - left)
            left -= size
            if left < 0:
                return False
        return True

    def catch_up(self, segment: int, size: int) -> None:
        """Read on to byte `size` of `segment`: all of it is records that stay. Raises OSError."""
        for number in list_segments(self._directory):
            if not self._segment <= number <= segment:
                continue
            if number > self._segment:
                self._segment, self._offset = number, 0
            self._read(segment_path(self._directory, number), size if number == segment else None)
        if not self.calls:
            self.calls = {}  # a dict keeps the size it once had
        while len(self.calls) > MAX_CALLS:
            del self.calls[next(iter(self.calls))]

    def save(self) -> None:
        """Write the file. Raises OSError, with the old one kept."""
        replace_file(self._directory / CALLS_NAME, self._parts())

    def _parts(self) -> Iterator[bytes]:
        yield b"calls %d %d %d\n" % (self._segment, self._offset, len(self.calls))
        calls = iter(self.calls.items())
        while some := list(islice(calls, _SLICE)):
            yield b"".join([b"%b %d\n" % (decision.encode(), at) for decision, at in some])
        yield b"end\n"

    def _read(self, path: Path, size: int | None) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            end = os.fstat(fd).st_size
            if size is not None:
                end = min(end, size)
            block = _BLOCK
            while self._offset < end:
                data = os.pread(fd, min(block, end - self._offset), self._offset)
                used = data.rfind(b"\n") + 1
                if not used:
                    if len(data) < block or block == _LONGEST:
                        return
                    block = _LONGEST
                    continue
                self._take(data[:used])
                self._offset += used
        finally:
            os.close(fd)

    def _take(self, data: bytes) -> None:
        calls = self.calls
        for line in data.split(b"\n"):
            if not line.startswith(_KINDS):
                continue
            parts = split_line(line)
            if parts is None:
                continue
            try:
                record = _decoder.decode(parts[0])
            except ValueError:
                continue
            if record.kind == "end":
                calls.pop(record.id, None)
            elif record.result == "answered" and record.id.isascii() and record.id.isalnum():
                calls[record.id] = record.at
