"""Book-keeping of bulk imports: what is staged how far, so that an import that died is resumed, not begun
again.

Each import is staged in a table of its own. It is not logged, which halves the cost of filling it: a crash of
PostgreSQL empties it. So the number of rows that were staged is kept here, and where the table holds another
number, staging begins again at the first line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.sql.engine import driver

STAGING = "staging"
DONE = "done"
REFUSED = "refused"
ABANDONED_DAYS = 7
"""Staged rows of an import nobody resumed are dropped after this."""

EVENTS = {"consents": "consent_events", "refusals": "refusal_events"}
"""Kind to the table its staging tables are made like. Other kinds stage nothing."""


@dataclass(frozen=True, slots=True)
class Import:
    """A running import. `staged_lines`: lines of the file already staged; `started_at`: what an unknown
    time means; `key_check`: of the pseudonym key the staged rows are hashed with, None where it stages nothing."""

    id: int
    kind: str
    staged_lines: int
    staged_rows: int
    started_at: datetime
    key_check: bytes | None = None

    @property
    def table(self) -> str:
        """Its staging table."""
        return staging_table(self.kind, self.id)


def staging_table(kind: str, import_id: int) -> str:
    """`staged_consents_17`."""
    return f"staged_{kind}_{int(import_id)}"


async def begin(
    connection: AsyncConnection, kind: str, name: str, sha256: bytes, principal: str, into: str = "",
    key_check: bytes | None = None,
) -> Import:  # fmt: skip
    """Begin an import, or take up the one of the same file into the same list that was not finished; from the first
    line where it was staged with another key than that of `key_check`. Holds a lock until commit.

    Two imports of one file at once: the second waits for the first one's chunk and goes on from there.
    """
    await connection.execute(
        text(
            "UPDATE imports SET state = 'refused', finished_at = now() WHERE state = 'staging' "
            "AND started_at < now() - make_interval(days => :days)"
        ),
        {"days": ABANDONED_DAYS},
    )
    await _drop_leftovers(connection)
    found = await connection.execute(
        text(
            "SELECT id, kind, staged_lines, staged_rows, started_at, key_check FROM imports "
            "WHERE kind = :kind AND sha256 = :sha256 AND list = :list AND state = 'staging' "
            "ORDER BY id LIMIT 1 FOR UPDATE"
        ),
        {"kind": kind, "sha256": sha256, "list": into},
    )
    row = found.one_or_none()
    if row is None:
        made = await connection.execute(
            text(
                "INSERT INTO imports (kind, name, sha256, principal, list, state) "
                "VALUES (:kind, :name, :sha256, :principal, :list, 'staging') "
                "RETURNING id, kind, staged_lines, staged_rows, started_at, key_check"
            ),
            {"kind": kind, "name": name, "sha256": sha256, "principal": principal, "list": into},
        )
        row = made.one()
    job = Import(*row)
    return await _with_table(connection, job, key_check) if kind in EVENTS else job


async def _with_table(connection: AsyncConnection, job: Import, key_check: bytes | None) -> Import:
    """The import with a staging table that holds what it should: as it is, or empty and from the first line."""
    found = await connection.execute(text("SELECT to_regclass(:name) IS NOT NULL"), {"name": job.table})
    if found.scalar_one():
        if job.key_check == key_check and await staged_count(connection, job) == job.staged_rows:
            return job
        await connection.execute(text(f"TRUNCATE {job.table}"))
    else:
        await connection.execute(
            text(f"CREATE UNLOGGED TABLE {job.table} (LIKE {EVENTS[job.kind]} INCLUDING DEFAULTS)")
        )
    await connection.execute(
        text("UPDATE imports SET staged_lines = 0, staged_rows = 0, key_check = :check WHERE id = :id"),
        {"id": job.id, "check": key_check},
    )
    return Import(job.id, job.kind, 0, 0, job.started_at, key_check)


async def _drop_leftovers(connection: AsyncConnection) -> None:
    """Staging tables of imports that are over."""
    tables = await connection.execute(
        text(
            "SELECT t.relname FROM pg_class AS t JOIN imports ON t.relname = 'staged_' || kind || '_' || imports.id "
            "WHERE t.relkind = 'r' AND state <> 'staging'"
        )
    )
    for name in tables.scalars().all():
        await connection.execute(text(f"DROP TABLE IF EXISTS {name}"))


async def lock_staged(connection: AsyncConnection, job: Import, reached: int) -> bool:
    """Lock a running import for its next step; False where somebody else has taken it further or ended it."""
    row = await connection.execute(
        text("SELECT staged_lines = :lines AND state = 'staging' FROM imports WHERE id = :id FOR UPDATE"),
        {"id": job.id, "lines": reached},
    )
    return bool(row.scalar_one_or_none())


async def stage(
    connection: AsyncConnection, job: Import, columns: Sequence[str], blocks: AsyncIterator[bytes]
) -> None:
    """COPY rows into the staging table. `blocks`: PostgreSQL's binary COPY format, whole with header and trailer."""
    raw = await driver(connection)
    await raw.copy_to_table(job.table, columns=columns, source=blocks, format="binary")


async def staged_to(connection: AsyncConnection, job: Import, lines: int, rows: int) -> None:
    """Record how many lines of the file are staged, and how many rows they made."""
    await connection.execute(
        text("UPDATE imports SET staged_lines = :lines, staged_rows = :rows WHERE id = :id"),
        {"lines": lines, "rows": rows, "id": job.id},
    )


async def is_whole(connection: AsyncConnection, job: Import, rows: int) -> bool:
    """Whether the staging table holds as many rows as were put into it: a crash of PostgreSQL empties it."""
    return await staged_count(connection, job) == rows


async def measure(connection: AsyncConnection, job: Import) -> None:
    """Let the planner know what is staged: autovacuum may not have come by, and a merge planned for the few rows it
    takes an unknown table for would loop over millions."""
    await connection.execute(text(f"ANALYZE {job.table}"))


async def finish(connection: AsyncConnection, import_id: int, state: str, changed: int) -> None:
    """End an import (`DONE`, `REFUSED`); its staging table goes."""
    row = await connection.execute(
        text(
            "UPDATE imports SET state = :state, changed = :changed, finished_at = now() WHERE id = :id RETURNING kind"
        ),
        {"id": import_id, "state": state, "changed": changed},
    )
    kind = row.scalar_one()
    if kind in EVENTS:
        await connection.execute(text(f"DROP TABLE IF EXISTS {staging_table(kind, import_id)}"))


async def staged_count(connection: AsyncConnection, job: Import) -> int:
    """How many rows are staged."""
    row = await connection.execute(text(f"SELECT count(*) FROM {job.table}"))
    return int(row.scalar_one())
