"""Appends evidence records: queued in memory, written together by one write(2) per turn of the loop (`ports.Journal`).

After a failed write the file is cut back to what it was, so that a segment never holds half a batch: what `commit`
raised for is not in the journal, what it did not raise for is (in the page cache; `syncer` says when on disk).
"""

from __future__ import annotations

import errno
import os
import time
from hashlib import blake2b
from pathlib import Path
from typing import Final, Literal

from gateway.store.journal.books import Books, Mark
from gateway.store.journal.directory import holds_lock, lock_directory
from gateway.store.journal.lines import FULL, MAX_PAYLOAD, JournalEnd, list_segments, make_header, segment_path
from gateway.store.journal.loss import find_loss
from gateway.store.journal.syncer import OnSynced, Post, Syncer

SyncMode = Literal["interval", "always"]

DEFAULT_SEGMENT_BYTES: Final = 64 << 20
"""About 60,000 records: an hour at 15 calls/s. Small enough to read again at a restart within the second."""


NEWLINE: Final = 0x0A
"""As a number: `bytes in bytes` raises and drops a TypeError inside the interpreter."""

SEGMENT_PAUSE_S = 1.0
"""Between two new segments begun because of failed syncs: a disk that stays broken must not be filled with them."""


class JournalWriter:
    """The one writer of a directory (`recovery.open_journal` makes it, holding the directory's lock)."""

    __slots__ = (
        "_books", "_buffer", "_chain", "_directory", "_fd", "_first", "_gone", "_lock_fd", "_mark", "_missing_from",
        "_next_segment_at", "_records", "_segment", "_segment_bytes", "_size", "_syncer", "_torn",
        "_trouble", "bytes_written", "failures", "waits_for_sync",
    )  # fmt: skip

    def __init__(
        self,
        directory: Path,
        end: JournalEnd,
        *,
        sync: SyncMode = "interval",
        interval_ms: int = 50,
        segment_bytes: int = DEFAULT_SEGMENT_BYTES,
        post: Post,
        books: Books,
        lock_fd: int = -1,
    ) -> None:
        """`post` runs a callable in the owner's thread (`loop.call_soon_threadsafe`). Raises OSError."""
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._segment = end.segment
        self._size = end.size
        self._first = end.first  # number of this segment's first record
        self._records = end.records
        self._chain = end.chain
        self._mark: Mark = (end.records, end.chain, end.segment, end.size)
        """What is committed. One tuple, so that the sync thread never sees half of a commit."""
        self._buffer: list[bytes] = []
        self._torn = False  # half a batch is at the end of the file
        self._gone = False  # the file is not the journal's any more
        self._trouble = False  # one of the two
        self._missing_from = end.missing_from
        self._next_segment_at = 0.0
        self._books = books
        self._lock_fd = lock_fd
        self.failures = 0
        """Commits that raised."""
        self.bytes_written = 0
        self.waits_for_sync = sync == "always"
        """`journal.sync = always`: the owner answers a call only after `on_synced`."""
        if end.segment == 0 or end.size == FULL:
            self._fd = self._create_segment()
        else:
            self._fd = os.open(segment_path(directory, end.segment), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        interval_s = 0.0 if sync == "always" else interval_ms / 1000
        self._syncer = Syncer(directory, self._fd, interval_s, post, books, lambda: self._mark)

    @property
    def records(self) -> int:
        """Number of the last record committed."""
        return self._mark[0]

    @property
    def head(self) -> str:
        """Chain after the last record committed."""
        return self._mark[1].decode()

    @property
    def segment(self) -> int:
        """Number of the segment written to."""
        return self._segment

    @property
    def sync_errors(self) -> int:
        return self._syncer.errors

    def append(self, payload: bytes) -> None:
        """See `ports.Journal.append`. Raises ValueError on a newline or over `MAX_PAYLOAD` bytes."""
        if len(payload) > MAX_PAYLOAD or NEWLINE in payload:
            raise ValueError(f"journal record of {len(payload)} bytes is too long or has a newline in it")
        # lines.chain_next and lines.make_line, written out: this is paid by every call
        self._chain = chain = blake2b(self._chain + payload, digest_size=16).hexdigest().encode()
        self._buffer.append(b"%b\t%b\n" % (payload, chain))
        self._records += 1

    def commit(self) -> None:
        """See `ports.Journal.commit`. Raises OSError with nothing of the batch kept."""
        buffer = self._buffer
        if not buffer:
            return
        batch = buffer[0] if len(buffer) == 1 else b"".join(buffer)
        buffer.clear()
        try:
            if self._trouble or self._syncer.failed is not None or self._size >= self._segment_bytes:
                self._prepare()
            written = os.write(self._fd, batch)
        except OSError:
            self._forget_batch()
            raise
        if written != len(batch):  # the disk or a quota filled up on the way
            self._torn = self._trouble = True
            self._forget_batch()
            self._cut_torn()
            raise OSError(errno.ENOSPC, f"journal: {written} of {len(batch)} bytes written")
        self._size = size = self._size + written
        self.bytes_written += written
        self._mark = (self._records, self._chain, self._segment, size)
        syncer = self._syncer
        if not syncer.dirty:
            syncer.written()

    def on_synced(self, callback: OnSynced) -> None:
        """`callback` comes, by `post`, once everything committed so far is durable, or with the error."""
        self._syncer.when_synced(callback)

    def check(self) -> str:
        """Is what is written still found under its name? For the owner's thread, once a second; a few system calls.

        Empty: it is. Else the segment was deleted, exchanged or cut; a new one has been begun (numbers and chain go
        on), or `commit` raises until that succeeds. The text says what happened and which records are gone.
        """
        books = self._books
        try:
            what, missing_from = find_loss(
                self._directory, self._segment, self._fd, self._size, self._first, books.first
            )
            if not what:
                books.note_first()
                self._syncer.look_again()
                return ""
        except OSError as error:
            return f"journal {self._directory.name}: its directory cannot be read: {error}"
        self._missing_from = missing_from if missing_from <= self._mark[0] else 0
        self._gone = self._trouble = True
        said = f"journal {self._directory.name}: {what}"
        if self._missing_from:
            said += f"; records {missing_from} to {self._mark[0]} are gone, but for those that were shipped before"
        try:
            self._begin_anew()
        except OSError as error:
            return f"{said}; no new segment can be begun, and nothing is recorded until it can: {error}"
        return f"{said}; segment {self._segment} goes on with record {self._mark[0] + 1}"

    def close(self) -> None:
        """Make durable what was committed and let the directory go. Waits for the disk."""
        self._syncer.stop()
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def _begin_anew(self) -> None:
        """Go on in a new segment, in a new directory if need be. Raises OSError."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._lock_fd >= 0 and not holds_lock(self._directory, self._lock_fd):
            lock_fd = lock_directory(self._directory)
            os.close(self._lock_fd)
            self._lock_fd = lock_fd
        present = list_segments(self._directory)
        if not present and self._missing_from:
            self._books.first = self._mark[0] + 1
        fd = self._create_segment(max([self._segment, *present]) + 1)
        self._gone = self._trouble = self._torn = False
        self._fd = fd
        self._syncer.switch(fd)

    def _forget_batch(self) -> None:
        self.failures += 1
        self._records, self._chain = self._mark[:2]

    def _cut_torn(self) -> None:
        """Cut half a batch off. If even that fails, the next commit tries again before it writes."""
        try:
            os.ftruncate(self._fd, self._size)
            self._torn = self._trouble = False
        except OSError:
            self.failures += 1

    def _prepare(self) -> None:
        """The uncommon things before a write: cut a torn end, leave a full, failed or lost segment."""
        if self._gone:
            self._begin_anew()
            return
        if self._torn:
            os.ftruncate(self._fd, self._size)
            self._torn = self._trouble = False
        full = self._size >= self._segment_bytes
        failed = self._syncer.failed is not None
        if not full and (not failed or time.monotonic() < self._next_segment_at):
            return
        try:
            fd = self._create_segment()
        except OSError:
            if failed:
                raise
            return  # no room for a new file, but perhaps for a record: stay, and try again next time
        if failed:
            self._next_segment_at = time.monotonic() + SEGMENT_PAUSE_S
        self._fd = fd
        self._syncer.switch(fd)

    def _create_segment(self, segment: int = 0) -> int:
        """Open the next segment, or this one, with its header in it. Raises OSError with nothing left behind."""
        segment = segment or self._segment + 1
        records, chain = self._mark[:2]
        header = make_header(self._directory.name, segment, records + 1, chain, self._missing_from)
        path = segment_path(self._directory, segment)
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            if os.write(fd, header) != len(header):
                raise OSError(errno.ENOSPC, "journal: no room for a segment header")
        except OSError:
            os.close(fd)
            path.unlink(missing_ok=True)
            raise
        self._segment = segment
        self._size = len(header)
        self._first = records + 1
        self._missing_from = 0
        self._mark = (records, chain, segment, self._size)
        return fd
