"""Makes a journal durable: one thread, one fdatasync for everything written before it began.

The event loop never waits for the disk. A commit in `interval` mode wakes the thread at most once per interval; in
`always` mode the thread syncs at once, and what is committed meanwhile shares the next sync (group commit).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.store.journal.books import Books, Mark
from gateway.store.journal.directory import sync_directory

OnSynced = Callable[[OSError | None], None]
"""Called once: None when everything committed before is durable, else why it may not be."""

Post = Callable[[Callable[[], object]], object]
"""Runs a callable in the owner's thread: `loop.call_soon_threadsafe`."""

STOP_TIMEOUT_S: Final = 10.0
"""How long `stop` waits for a last sync on a disk that hangs."""


class Syncer:
    """Owns the thread. All methods are the owner's thread's, except the loop of the thread itself."""

    __slots__ = (
        "_books", "_directory", "_fd", "_interval", "_lock", "_mark_now", "_old", "_post", "_runner", "_stop",
        "_waiting", "_wake", "dirty", "errors", "failed", "syncs",
    )  # fmt: skip

    def __init__(
        self, directory: Path, fd: int, interval_s: float, post: Post, books: Books, mark_now: Callable[[], Mark]
    ) -> None:
        """`interval_s` 0: sync at once (`always`). `mark_now`: how far the owner has written; called in the thread."""
        self._books = books
        self._mark_now = mark_now
        self._directory = directory
        self._fd = fd
        self._interval = interval_s
        self._post = post
        self.dirty = False
        """Something was written and its sync has not begun."""
        self._old: list[int] = []
        self._waiting: list[OnSynced] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stop = False
        self.failed: OSError | None = None
        """Why the current file could not be synced. The kernel may have dropped what it held, and says so only once:
        nothing in this file counts as durable any more, until the owner goes on in another (`switch`)."""
        self.errors = 0
        """Syncs that failed."""
        self.syncs = 0
        self._runner = threading.Thread(target=self._run, name="journal-sync", daemon=True)
        self._runner.start()

    def written(self) -> None:
        """Something was written. Cheap when said again before the next sync."""
        if not self.dirty:
            self.dirty = True
            self._wake.set()

    def look_again(self) -> None:
        """Once a second: what the last sync left to the next one is done also where no other comes."""
        if self._books.behind:
            self.written()

    def when_synced(self, callback: OnSynced) -> None:
        """`callback` comes after a sync that begins from now on."""
        with self._lock:
            self._waiting.append(callback)
        self.dirty = True
        self._wake.set()

    def switch(self, fd: int) -> None:
        """Write goes to another file from now on; the old one is synced and closed by the thread."""
        with self._lock:
            self._old.append(self._fd)
            self._fd = fd
            self.failed = None
        self.dirty = True
        self._wake.set()

    def stop(self) -> None:
        """Sync what is left, close the file, end the thread."""
        self._stop = True
        self._wake.set()
        self._runner.join(STOP_TIMEOUT_S)

    def _run(self) -> None:
        while True:
            self._wake.wait()
            if self._interval and not self._stop and not self._waiting:
                time.sleep(self._interval)
            self._wake.clear()  # first of all: whatever is asked for from here on wakes it again
            stopping = self._stop
            self.dirty = False
            mark = self._mark_now()  # before the files are taken: whatever it counts is in them
            with self._lock:
                waiting, old = self._waiting, self._old
                if waiting:
                    self._waiting = []
                if old:
                    self._old = []
                fd = self._fd
            error: OSError | None = None
            for done in old:
                error = self._sync(done) or error
                os.close(done)
            if old:
                error = self._sync_names() or error
            current = self._sync(fd)
            with self._lock:
                if fd == self._fd:
                    self.failed = current = self.failed or current
            error = current or error
            if waiting:
                self._report(waiting, error)
            if error is None:
                self._books.synced(mark, stopping)
            if stopping:
                os.close(fd)
                return

    def _sync(self, fd: int) -> OSError | None:
        self.syncs += 1
        try:
            os.fdatasync(fd)
        except OSError as error:
            self.errors += 1
            return error
        return None

    def _sync_names(self) -> OSError | None:
        try:
            sync_directory(self._directory)
        except OSError as error:
            self.errors += 1
            return error
        return None

    def _report(self, waiting: list[OnSynced], error: OSError | None) -> None:
        def run() -> None:
            for callback in waiting:
                callback(error)

        try:
            self._post(run)
        except RuntimeError:  # the loop is closed: nobody is left to tell
            self.errors += 1
