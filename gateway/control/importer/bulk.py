"""The course of a bulk import, the same for consents, refusals and feeds: stage in chunks, validate whole, merge
at once.

Chunks are committed as they are read, so an import that dies is resumed at its last chunk when the same
file is given again. Until the one transaction that merges, nothing of it has any effect; a file with a bad
row is dropped whole. A dry run goes the same way, and rolls that transaction back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.control.importer.blocks import Form, digest, read_blocks, read_form
from gateway.control.importer.differences import differences
from gateway.control.importer.prepare import COLUMNS, Prepared, Task
from gateway.control.importer.preparing import prepared
from gateway.control.importer.problems import ImportReport, Problems
from gateway.control.importer.subscriber import keys_in_force
from gateway.keys import Keys
from gateway.registry.model import Snapshot
from gateway.store.ports import Conflict
from gateway.store.sql import audit, dataset, imports, outbox, versions
from gateway.store.sql.copy_rows import HEADER, TRAILER
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.imports import Import
from gateway.store.sql.merged import Merged
from gateway.store.sql.registry import load_plan

CHUNK = 20_000
"""Rows staged per transaction, at least."""


@dataclass(frozen=True, slots=True)
class Step:
    """How far an import is. `done`, `total`: octets of the file."""

    phase: str
    """`reading` or `merging`."""
    done: int
    total: int
    rows: int


Progress = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class Context:
    """What a kind's `merge` may need to know besides the staged rows."""

    connection: AsyncConnection
    job: Import
    change: int
    """Id of the outbox row of this import."""
    plan: Snapshot
    file: str
    principal: str


Merge = Callable[[Context], Awaitable[Merged]]


@dataclass(frozen=True, slots=True)
class Bulk:
    """What differs between kinds. `merge` brings the staged rows into effect and records the versions it makes."""

    kind: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    merge: Merge
    action: str
    """For the audit trail."""
    into: str = ""
    """List of refusals it is for."""
    operator: str = ""
    """The only one whose consents may be in it; the rows are read as if there were no other. Empty: any."""
    detail: dict[str, object] = field(default_factory=dict)
    """More for the audit trail."""


async def run_bulk(
    engine: AsyncEngine,
    bulk: Bulk,
    path: Path,
    keys: Keys,
    principal: str,
    progress: Progress | None = None,
    *,
    dry_run: bool = False,
    name: str = "",
) -> ImportReport:
    """Import a file whole or not at all. `name`: what it is called in messages and records, if not by its path.
    Raises ImportRefused, Conflict, Unavailable, OSError."""
    problems = Problems(name or str(path), private=True)
    form = read_form(path, bulk.required, bulk.optional, problems)
    problems.check()
    assert form is not None
    with mapped_errors():
        run = _Run(engine, bulk, path, keys, principal, progress, problems, form, name or path.name)
        return await run.run(dry_run)


class _Rotated(Exception):
    """The pseudonym key was exchanged since the file was staged."""


class _Run:
    """One import under way."""

    def __init__(
        self, engine: AsyncEngine, bulk: Bulk, path: Path, keys: Keys, principal: str, progress: Progress | None,
        problems: Problems, form: Form, label: str,
    ) -> None:  # fmt: skip
        self._engine, self._bulk, self._path, self._principal = engine, bulk, path, principal
        self._keys = replace(keys, cookies=())
        self._tell = progress or (lambda _step: None)
        self._problems, self._form, self._name, self._label = problems, form, problems.name, label
        self._size = path.stat().st_size
        self._sha256 = digest(path)
        self._lines = self._rows = 0
        self._key_check = b""
        self._rotated = False

    async def run(self, dry_run: bool) -> ImportReport:
        while True:
            try:
                return await self._run(dry_run)
            except _Rotated:
                self._rotated = True  # staged with the key before: the file is read once more

    async def _run(self, dry_run: bool) -> ImportReport:
        bulk = self._bulk
        async with self._engine.begin() as connection:
            try:
                keys = await keys_in_force(connection, self._keys)
            except Conflict:
                if not self._rotated:
                    raise
                again = "the keys were rotated while it was read: import the file again"
                raise Conflict(f"{self._name}: {again}") from None
            self._key_check = keys.pseudonyms[0].check
            plan = await load_plan(connection)
            if not plan.plan:
                self._problems.add(0, "registry", "no numbering plan", "import a registry with a [plan] first")
                self._problems.check()
            into = bulk.into
            if bulk.operator:
                known = tuple(one for one in plan.operators if one.id == bulk.operator)
                # Apart from an import of the same file by somebody who may bring others' rows.
                plan, into = replace(plan, operators=known), f"operator:{bulk.operator}"
            job = await imports.begin(
                connection, bulk.kind, self._name, self._sha256, self._principal, into, self._key_check
            )
        self._lines, self._rows = job.staged_lines, job.staged_rows
        await self._stage(job, Task(bulk.kind, self._name, self._form, keys, plan, job.started_at, bulk.into))
        if self._problems:
            await self._drop(job)
            self._problems.check()
        self._tell(Step("merging", self._size, self._size, self._rows))
        return await (self._try_out(job, plan) if dry_run else self._merge(job, plan))

    async def _stage(self, job: Import, task: Task) -> None:
        """Read the rest of the file into the staging table, a transaction per chunk."""
        blocks = read_blocks(self._path, self._form, self._problems, job.staged_lines)
        chunk: list[Prepared] = []
        async for found in prepared(task, blocks, self._size):
            for problem in found.problems:
                self._problems.add(problem.line, problem.field, problem.value, problem.fix)
            if self._problems.full:
                return
            if self._problems:
                continue  # read on for the other problems only
            chunk.append(found)
            if sum(one.rows for one in chunk) >= CHUNK:
                await self._stage_chunk(job, chunk)
                chunk = []
            self._tell(Step("reading", found.end, self._size, self._rows + sum(one.rows for one in chunk)))
        if chunk and not self._problems:
            await self._stage_chunk(job, chunk)

    async def _stage_chunk(self, job: Import, chunk: list[Prepared]) -> None:
        async def copied() -> AsyncIterator[bytes]:
            yield HEADER
            for one in chunk:
                yield one.copy
            yield TRAILER

        async with self._engine.begin() as connection:
            await self._lock(connection, job)
            await imports.stage(connection, job, COLUMNS[self._bulk.kind], copied())
            lines, rows = chunk[-1].last_line, self._rows + sum(one.rows for one in chunk)
            await imports.staged_to(connection, job, lines, rows)
        self._lines, self._rows = lines, rows

    async def _merge(self, job: Import, plan: Snapshot) -> ImportReport:
        bulk = self._bulk
        async with self._engine.begin() as connection:
            merged, _ = await self._take_effect(connection, job, plan)
            await imports.finish(connection, job.id, imports.DONE, merged.touched)
            detail = {"sha256": self._sha256.hex(), "rows": merged.rows, "changed": merged.touched, **bulk.detail}
            await audit.record(connection, self._principal, bulk.action, self._label, detail)
            await versions.trim(connection, bulk.kind)
        return self._report(merged)

    async def _try_out(self, job: Import, plan: Snapshot) -> ImportReport:
        """Merge, look, and take it back."""
        async with self._engine.connect() as connection:
            merged, change = await self._take_effect(connection, job, plan)
            found = await differences(connection, self._bulk.kind, change, self._keys, plan)
            await connection.rollback()
        await self._drop(job)
        return replace(self._report(merged), dry_run=True, differences=tuple(found))

    async def _take_effect(self, connection: AsyncConnection, job: Import, plan: Snapshot) -> tuple[Merged, int]:
        bulk = self._bulk
        await self._lock(connection, job)
        if not await imports.is_whole(connection, job, self._rows):
            raise Conflict(f"{self._name}: PostgreSQL restarted and lost what was staged: import the file again")
        await imports.measure(connection, job)
        await versions.lock(connection, bulk.kind)  # keys are not exchanged under it
        if (await dataset.read(connection)).key_check != self._key_check:
            raise _Rotated
        change = await outbox.announce(connection, bulk.kind)
        return await bulk.merge(Context(connection, job, change, plan, self._label, self._principal)), change

    def _report(self, merged: Merged) -> ImportReport:
        return ImportReport(
            self._bulk.kind, self._name, merged.rows, merged.touched,
            added=merged.added, unchanged=merged.unchanged,
        )  # fmt: skip

    async def _drop(self, job: Import) -> None:
        async with self._engine.begin() as connection:
            await imports.finish(connection, job.id, imports.REFUSED, 0)

    async def _lock(self, connection: AsyncConnection, job: Import) -> None:
        if not await imports.lock_staged(connection, job, self._lines):
            raise Conflict(
                f"{self._name}: the same file is being imported by somebody else (wait for that), or PostgreSQL was "
                "restarted (import it again)"
            )
