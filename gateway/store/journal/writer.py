"""Appends evidence records: queued in memory, written together by one write(2) per turn of the loop (`ports.Journal`).

After a failed write the file is cut back to what it was, so that a segment never holds half a batch: what `commit`
raised for is not in the journal, what it did not raise for is (in the page cache; `syncer` says when on disk).
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final, Literal

from gateway.store.journal.lines import MAX_PAYLOAD, make_header, segment_path
from gateway.store.journal.syncer import OnSynced, Post, Syncer

SyncMode = Literal["interval", "always"]

DEFAULT_SEGMENT_BYTES: Final = 64 << 20
"""About 60,000 records: an hour at 15 calls/s. Small enough to read again at a restart within the second."""


@dataclass(slots=True)
class JournalEnd:
    """Where a journal ends, as `recovery` found it."""

    segment: int
    """Number of the last segment; 0 where there is none yet."""
    size: int
    """Its size in bytes."""
    records: int
    """Records in the whole journal, which is also the number of the last one."""
    chain: bytes
    """Chain after it: 32 hex digits."""


class JournalWriter:
    """The one writer of a directory (`recovery.open_journal` makes it, holding the directory's lock)."""

    __slots__ = (
        "_buffer", "_chain", "_committed_chain", "_committed_records", "_directory", "_fd", "_lock_fd", "_records",
        "_segment", "_segment_bytes", "_size", "_syncer", "_torn", "bytes_written", "failures", "waits_for_sync",
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
        lock_fd: int = -1,
    ) -> None:
        """`post` runs a callable in the owner's thread (`loop.call_soon_threadsafe`). Raises OSError."""
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._segment = end.segment
        self._size = end.size
        self._records = self._committed_records = end.records
        self._chain = self._committed_chain = end.chain
        self._buffer: list[bytes] = []
        self._torn = False
        self._lock_fd = lock_fd
        self.failures = 0
        """Commits that raised."""
        self.bytes_written = 0
        self.waits_for_sync = sync == "always"
        """`journal.sync = always`: the owner answers a call only after `on_synced`."""
        if end.segment == 0:
            self._fd = self._create_segment()
        else:
            self._fd = os.open(segment_path(directory, end.segment), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._syncer = Syncer(directory, self._fd, 0.0 if sync == "always" else interval_ms / 1000, post)

    @property
    def records(self) -> int:
        """Number of the last record committed."""
        return self._committed_records

    @property
    def head(self) -> str:
        """Chain after the last record committed."""
        return self._committed_chain.decode()

    @property
    def segment(self) -> int:
        """Number of the segment written to."""
        return self._segment

    @property
    def sync_errors(self) -> int:
        return self._syncer.errors

    def append(self, payload: bytes) -> None:
        """See `ports.Journal.append`. Raises ValueError on a newline or over `MAX_PAYLOAD` bytes."""
        if len(payload) > MAX_PAYLOAD or b"\n" in payload:
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
            if self._torn or self._syncer.failed or self._size >= self._segment_bytes:
                self._prepare()
            written = os.write(self._fd, batch)
        except OSError:
            self._forget_batch()
            raise
        if written != len(batch):  # the disk or a quota filled up on the way
            self._torn = True
            self._forget_batch()
            self._cut_torn()
            raise OSError(errno.ENOSPC, f"journal: {written} of {len(batch)} bytes written")
        self._size += written
        self.bytes_written += written
        self._committed_chain = self._chain
        self._committed_records = self._records
        syncer = self._syncer
        if not syncer.dirty:
            syncer.written()

    def on_synced(self, callback: OnSynced) -> None:
        """`callback` comes, by `post`, once everything committed so far is durable, or with the error."""
        self._syncer.when_synced(callback)

    def close(self) -> None:
        """Make durable what was committed and let the directory go. Waits for the disk."""
        self._syncer.stop()
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def _forget_batch(self) -> None:
        self.failures += 1
        self._chain = self._committed_chain
        self._records = self._committed_records

    def _cut_torn(self) -> None:
        """Cut half a batch off. If even that fails, the next commit tries again before it writes."""
        try:
            os.ftruncate(self._fd, self._size)
            self._torn = False
        except OSError:
            self.failures += 1

    def _prepare(self) -> None:
        """The uncommon things before a write: cut a torn end, leave a full or failed segment."""
        if self._torn:
            os.ftruncate(self._fd, self._size)
            self._torn = False
        if self._size < self._segment_bytes and not self._syncer.failed:
            return
        try:
            fd = self._create_segment()
        except OSError:
            if self._syncer.failed:
                raise
            return  # no room for a new file, but perhaps for a record: stay, and try again next time
        self._fd = fd
        self._syncer.switch(fd)

    def _create_segment(self) -> int:
        """Open the next segment with its header in it. Raises OSError with nothing left behind."""
        segment = self._segment + 1
        header = make_header(self._directory.name, segment, self._committed_records + 1, self._committed_chain)
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
        return fd
