"""The worker's journal, also where none can be opened: then nothing can be written, and it tries again every second.

A directory that cannot be written must not take established and emergency calls down with it: `commit` raises, new
calls are refused, and everything else goes on (DESIGN §7, disk full).
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from time import time
from typing import Final

from gateway.settings import Settings
from gateway.store.journal.recovery import Recovery, open_journal
from gateway.store.journal.syncer import OnSynced, Post
from gateway.store.journal.writer import JournalWriter
from gateway.telemetry.logs import get_logger

RECOVER_SECONDS: Final = 240.0
"""How far back the journal is read at start: Timer C (180 s) and a minute; no call is in set-up for longer."""

_log: Final = get_logger(__name__)


def journal_of(settings: Settings, index: int) -> Path:
    """The journal directory of worker `index`."""
    return settings.journal_dir / f"{settings.node.name}-{index}"


class WorkerJournal:
    """`store.ports.Journal` over a writer that may come later."""

    def __init__(self, settings: Settings, index: int, post: Post, recovered: Callable[[Recovery], None]) -> None:
        """`recovered`: told what the journal held, each time one was opened."""
        self._settings = settings
        self._directory = journal_of(settings, index)
        self._post = post
        self._recovered = recovered
        self._writer: JournalWriter | None = None
        self._pending = False
        self.trouble = "not opened yet"
        """Why records cannot be written; empty while they can."""
        self.waits_for_sync = settings.journal.sync == "always"

    @property
    def records(self) -> int:
        """Number of the last record committed."""
        return self._writer.records if self._writer is not None else 0

    @property
    def bytes_written(self) -> int:
        """Since the start."""
        return self._writer.bytes_written if self._writer is not None else 0

    def open(self) -> bool:
        """Open the journal; False, and a log line, when that cannot be done now."""
        settings = self._settings.journal
        try:
            self._writer, recovery = open_journal(
                self._directory,
                keep_seconds=RECOVER_SECONDS,
                now=time(),
                post=self._post,
                answered_seconds=self._settings.timers.max_call_hours * 3600,
                sync=settings.sync,
                interval_ms=settings.interval_ms,
                segment_bytes=settings.segment_mb << 20,
            )
        except OSError as error:
            self._fails(f"cannot be opened: {error}")
            return False
        self._works()
        if recovery.torn_bytes or recovery.open_calls or recovery.missing_records:
            _log.warning(
                "journal recovered",
                torn_bytes=recovery.torn_bytes,
                lost_calls=len(recovery.open_calls),
                missing_records=recovery.missing_records,
                missing_from=recovery.missing_from,
            )
        if not recovery.answered_known:
            _log.warning("calls that were up may be missing in callgate_active_calls, and be owed an end record")
        self._recovered(recovery)
        return True

    def check(self) -> None:
        """Once a second: open it if it is not, and see that what is written can still be found."""
        if self._writer is None:
            self.open()
            return
        said = self._writer.check()
        if said:
            _log.error("journal damaged", said=said)

    def append(self, payload: bytes) -> None:
        """See `store.ports.Journal`."""
        if self._writer is not None:
            self._writer.append(payload)
        else:
            self._pending = True

    def commit(self) -> None:
        """See `store.ports.Journal`."""
        if self._writer is None:
            if self._pending:
                self._pending = False
                raise OSError(errno.EIO, f"journal {self._directory.name}: {self.trouble}")
            return
        try:
            self._writer.commit()
        except OSError as error:
            self._fails(str(error))
            raise
        if self.trouble:
            self._works()

    def on_synced(self, callback: OnSynced) -> None:
        """`callback` comes once everything committed so far is durable, or with the error."""
        if self._writer is not None:
            self._writer.on_synced(callback)
        else:
            self._post(lambda: callback(OSError(errno.EIO, self.trouble)))

    def close(self) -> None:
        """Make durable what was committed, and let it go."""
        if self._writer is not None:
            self._writer.close()

    def _fails(self, trouble: str) -> None:
        if trouble != self.trouble:
            _log.error(
                "evidence cannot be written; new calls are refused",
                directory=str(self._directory),
                trouble=trouble,
                fix="free space there, or make it writable for this user",
            )
        self.trouble = trouble

    def _works(self) -> None:
        if self.trouble and self.trouble != "not opened yet":
            _log.warning("evidence is written again", directory=str(self._directory))
        self.trouble = ""
