"""What the sync thread keeps beside the segments: the head at every sync, the calls that are up once a second.

Neither is evidence: both can be made again from the segments, and a file that cannot be written harms no call.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from gateway.store.journal.calls import ActiveCalls
from gateway.store.journal.head import Head, write_head
from gateway.store.journal.lines import first_record, list_segments

Mark = tuple[int, bytes, int, int]
"""How far the journal is written: records, chain after the last, segment, its size."""

SAVE_EVERY_S: Final = 1.0
CALLS_PER_S: Final = 10_000
"""With more calls than this up the file is written less often: a restart reads on from it anyway."""


class Books:
    """`synced` is the sync thread's; `first` and `note_first` are the owner's."""

    __slots__ = ("_calls", "_directory", "_due", "_oldest", "_written", "behind", "errors", "first")

    def __init__(self, directory: Path, calls: ActiveCalls, first: int = 1) -> None:
        self._directory = directory
        self._calls = calls
        self._due = 0.0
        self._oldest = 0
        self._written: tuple[Mark, int] | None = None
        self.behind = False
        """The calls that are up were not looked at since the last sync: it came too soon after the one before."""
        self.first = first
        """Number of the first record in the directory."""
        self.errors = 0
        """Times a file could not be written."""

    def note_first(self) -> None:
        """Look at the oldest segment: it is another one when shipped segments were dropped. Raises OSError."""
        oldest = list_segments(self._directory)[0]
        if oldest != self._oldest:
            self._oldest = oldest
            self.first = first_record(self._directory, oldest) or self.first

    def synced(self, mark: Mark, last: bool) -> None:
        """Everything up to `mark` is on disk. `last`: the journal is being closed."""
        state = (mark, self.first)
        if state == self._written and not last and not self.behind:
            return
        records, chain, segment, size = mark
        try:
            write_head(self._directory, Head(records, chain.decode(), segment, state[1]))
            self._written = state
            now = time.monotonic()
            self.behind = now < self._due
            if last or not self.behind:
                self._calls.catch_up(segment, size)
                self._calls.save()
                self._due = now + max(SAVE_EVERY_S, len(self._calls.calls) / CALLS_PER_S)
        except OSError:
            self.errors += 1
