"""Uploads: streamed to disk within a bound, imported in a thread of their own, so that neither SIP's next change nor
the next request waits for somebody's million rows."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import shutil
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from gateway.control.api.access import BODY_S
from gateway.control.api.context import Context
from gateway.control.api.problems import ApiError, too_many
from gateway.control.importer.problems import MAX_PROBLEMS, ImportRefused, ImportReport, Problem
from gateway.control.importer.uploaded import import_uploaded
from gateway.gate.pack import PackError
from gateway.store.ports import StoreError
from gateway.store.sql import uploads
from gateway.store.sql.engine import make_engine
from gateway.store.sql.uploads import DONE, FAILED, REFUSED, Upload
from gateway.telemetry.logs import get_logger

MAX_RUNNING: Final = 2
"""Uploads taken or worked on at once: each may fill the disk up to `http.max_upload_mb`."""
MAX_DETAIL: Final = 4_096
"""Characters kept of what an import was refused with; the problems are kept one by one."""
WAIT_S: Final = 5.0
"""A request waits so long for its import before it is told to ask again."""
LEFT_BEHIND: Final = "the control process ended meanwhile; send the file again: what is staged is not read twice"

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an upload is to become."""

    kind: str
    name: str
    principal: str
    operator: str
    dry_run: bool
    instead: str = ""
    """Of a pack: the one it comes in the place of."""


class Spool:
    """Where uploads wait, and who works on them."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._directory = context.settings.state_dir / "spool"
        self._began = datetime.now(UTC)
        self._running = 0
        self._working: dict[int, asyncio.Future[None]] = {}
        self._tidied = False

    async def take(self, wanted: Wanted, chunks: AsyncIterator[bytes]) -> Upload:
        """Store the file and work on it; returns when it is done, or after WAIT_S while it goes on. Raises 408, 413,
        429, Unavailable."""
        await self._tidy()
        if self._running >= MAX_RUNNING:
            raise too_many(f"{MAX_RUNNING} uploads are being worked on", 10.0)
        self._running += 1
        directory = self._directory / secrets.token_hex(8)
        try:
            path, sha256 = await self._store(directory, wanted.name, chunks)
            upload = await uploads.begin(
                self._context.engine, wanted.kind, wanted.name, sha256, wanted.principal, wanted.operator,
                self._context.settings.node.name, wanted.dry_run,
            )  # fmt: skip
        except BaseException:
            self._running -= 1
            shutil.rmtree(directory, ignore_errors=True)
            raise
        working = self._working[upload.id] = asyncio.ensure_future(self._work(upload.id, wanted, path))
        await asyncio.wait((working,), timeout=WAIT_S)
        (now,) = await uploads.find_uploads(self._context.engine, upload_id=upload.id)
        return now

    async def _store(self, directory: Path, name: str, chunks: AsyncIterator[bytes]) -> tuple[Path, bytes]:
        """The file under its own name, which its audit row and problems tell."""
        most = self._context.settings.http.max_upload_mb * 1_048_576
        mixed, size = hashlib.sha256(), 0
        path = directory / name
        file = await asyncio.to_thread(_open, path)
        try:
            while True:
                async with asyncio.timeout(BODY_S):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    return path, mixed.digest()
                size += len(chunk)
                if size > most:
                    raise ApiError(413, "too-large", f"an upload has at most {most} bytes (http.max_upload_mb)")
                mixed.update(chunk)
                await asyncio.to_thread(file.write, chunk)
        except TimeoutError:  # an OSError too
            raise ApiError(408, "request-timeout", f"nothing came for {BODY_S:g} s") from None
        except OSError as error:
            raise ApiError(503, "unavailable", f"the upload cannot be stored: {error.strerror}") from error
        finally:
            file.close()

    async def _work(self, upload_id: int, wanted: Wanted, path: Path) -> None:
        engine = self._context.engine
        try:
            report: ImportReport = await _in_thread(self._import(wanted, path))
            with suppress(StoreError):
                await uploads.settle(
                    engine, upload_id, DONE, rows=report.rows, changed=report.changed, version=report.version,
                    detail="\n".join((*filter(None, (report.hint,)), *report.warnings)),
                )  # fmt: skip
        except Exception as error:
            state, problems = REFUSED, _problems(error)
            if not problems:
                state = FAILED
                if not isinstance(error, StoreError):
                    _log.error("upload failed", exc_info=error)
            with suppress(StoreError):
                await uploads.settle(engine, upload_id, state, detail=_told(error, path), problems=problems)
        finally:
            self._running -= 1
            del self._working[upload_id]
            shutil.rmtree(path.parent, ignore_errors=True)

    async def _import(self, wanted: Wanted, path: Path) -> ImportReport:
        """Runs in a thread with a loop of its own, so with an engine of its own."""
        engine = make_engine(self._context.settings.database.url, pool_size=1)
        try:
            return await import_uploaded(
                engine, wanted.kind, path, self._context.keys, wanted.principal, operator=wanted.operator,
                dry_run=wanted.dry_run, instead=wanted.instead,
            )  # fmt: skip
        finally:
            await engine.dispose()

    async def _tidy(self) -> None:
        """Once: what a control process that died left behind."""
        if self._tidied:
            return
        await uploads.give_up(self._context.engine, self._context.settings.node.name, self._began, LEFT_BEHIND)
        if not self._running:
            await asyncio.to_thread(shutil.rmtree, self._directory, ignore_errors=True)
        self._tidied = True


def _open(path: Path) -> Any:
    path.parent.mkdir(mode=0o700, parents=True)
    return open(path, "wb")


def _problems(error: Exception) -> list[Problem]:
    if isinstance(error, ImportRefused):
        return error.problems
    if isinstance(error, PackError):
        return [Problem(0, "pack", "", line) for line in error.problems[:MAX_PROBLEMS]]
    return []


def _told(error: Exception, path: Path) -> str:
    if isinstance(error, (ImportRefused, PackError, StoreError)):
        return str(error).replace(f"{path.parent}/", "")[:MAX_DETAIL]
    return f"{type(error).__name__}: see the log of the control process"


async def _in_thread(work: Coroutine[Any, Any, ImportReport]) -> ImportReport:
    """A daemon thread: a stop does not wait for it, and an import that is cut off is taken up where it was."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[ImportReport] = loop.create_future()

    def settle(report: ImportReport | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if report is not None:
            done.set_result(report)
        elif error is not None:
            done.set_exception(error)

    def run() -> None:
        report: ImportReport | None = None
        failed: BaseException | None = None
        try:
            report = asyncio.run(work)
        except BaseException as error:
            failed = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, report, failed)

    threading.Thread(target=run, name="import", daemon=True).start()
    return await done
