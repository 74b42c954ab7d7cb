"""The course of a bulk import, the same for consents and refusals: stage in chunks, validate whole, merge
at once.

Chunks are committed as they are read, so an import that dies is resumed at its last chunk when the same
file is given again. Until the one transaction that merges, nothing of it has any effect; a file with a bad
row is dropped whole."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.control.importer.csvfile import digest
from gateway.control.importer.problems import ImportReport, Problems
from gateway.control.importer.subscriber import Subscribers
from gateway.registry.model import Snapshot
from gateway.store.ports import Conflict
from gateway.store.sql import audit, dataset, imports, outbox
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.registry import load_plan

CHUNK = 20_000
"""Rows staged per transaction."""

E = TypeVar("E")
Progress = Callable[[int], None]
"""Told the line reached, after each chunk."""


@dataclass(frozen=True, slots=True)
class BulkKind(Generic[E]):
    """What differs between kinds. `read` yields events of the lines after the given one and notes
    problems."""

    kind: str
    table: str
    read: Callable[[Path, Snapshot, imports.Import, Problems], Iterable[tuple[int, E]]]
    stage: Callable[[AsyncConnection, int, Iterable[E]], Awaitable[None]]
    merge: Callable[[AsyncConnection, int, int], Awaitable[int]]


async def run_bulk(
    engine: AsyncEngine,
    bulk: BulkKind[E],
    path: Path,
    subscribers: Subscribers,
    principal: str,
    progress: Progress | None,
) -> ImportReport:
    """Import a file whole or not at all. Raises ImportRefused, Conflict, Unavailable, OSError."""
    name, sha256 = str(path), digest(path)
    problems = Problems(name)
    with mapped_errors():
        async with engine.begin() as connection:
            await dataset.claim_key(connection, subscribers.check)
            snapshot = await load_plan(connection)
            if not snapshot.plan:
                problems.add(0, "registry", "no numbering plan", "import a registry with a [plan] first")
                problems.check()
            job = await imports.begin(connection, bulk.kind, name, sha256, principal)
        reached = job.staged_lines
        events = iter(bulk.read(path, snapshot, job, problems))
        while chunk := list(islice(events, CHUNK)):
            if problems:
                continue  # read on for the other problems only
            async with engine.begin() as connection:
                await _lock(connection, job.id, reached, name)
                await bulk.stage(connection, job.id, (event for _, event in chunk))
                reached = chunk[-1][0]
                await imports.staged_to(connection, job.id, reached)
            if progress:
                progress(reached)
        if problems:
            async with engine.begin() as connection:
                await imports.drop_staged(connection, bulk.table, job.id)
                await imports.finish(connection, job.id, imports.REFUSED, 0)
            problems.check()
        async with engine.begin() as connection:
            await imports.analyze(connection, bulk.table)
        async with engine.begin() as connection:
            await _lock(connection, job.id, reached, name)
            staged = await imports.staged_count(connection, bulk.table, job.id)
            change = await outbox.announce(connection, bulk.kind)
            changed = await bulk.merge(connection, job.id, change)
            await imports.finish(connection, job.id, imports.DONE, changed)
            await audit.record(
                connection,
                principal,
                f"import.{bulk.kind}",
                path.name,
                {"sha256": sha256.hex(), "rows": staged, "changed": changed},
            )
    return ImportReport(bulk.kind, name, staged, changed)


async def _lock(connection: AsyncConnection, import_id: int, reached: int, name: str) -> None:
    if not await imports.lock_staged(connection, import_id, reached):
        raise Conflict(f"{name}: the same file is being imported by somebody else: wait for that")
