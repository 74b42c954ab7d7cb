"""Book-keeping of bulk imports: what is staged how far, so that an import that died is resumed, not begun
again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

STAGING = "staging"
DONE = "done"
REFUSED = "refused"
ABANDONED_DAYS = 7
"""Staged rows of an import nobody resumed are dropped after this."""


@dataclass(frozen=True, slots=True)
class Import:
    """A running import. `staged_lines`: lines of the file already staged; `started_at`: what an unknown
    time means."""

    id: int
    staged_lines: int
    started_at: datetime


async def begin(connection: AsyncConnection, kind: str, name: str, sha256: bytes, principal: str) -> Import:
    """Begin an import, or take up the one of the same file that was not finished. Holds a lock until commit.

    Two imports of one file at once: the second waits for the first one's chunk and goes on from there.
    """
    await connection.execute(
        text(
            "UPDATE imports SET state = 'refused', finished_at = now() WHERE state = 'staging' "
            "AND started_at < now() - make_interval(days => :days)"
        ),
        {"days": ABANDONED_DAYS},
    )
    for table in ("staged_consents", "staged_refusals"):
        await connection.execute(
            text(
                f"DELETE FROM {table} USING imports WHERE imports.id = {table}.import_id AND imports.state <> 'staging'"
            )
        )
    found = await connection.execute(
        text(
            "SELECT id, staged_lines, started_at FROM imports "
            "WHERE kind = :kind AND sha256 = :sha256 AND state = 'staging' ORDER BY id LIMIT 1 FOR UPDATE"
        ),
        {"kind": kind, "sha256": sha256},
    )
    row = found.one_or_none()
    if row is None:
        made = await connection.execute(
            text(
                "INSERT INTO imports (kind, name, sha256, principal, state) "
                "VALUES (:kind, :name, :sha256, :principal, 'staging') "
                "RETURNING id, staged_lines, started_at"
            ),
            {"kind": kind, "name": name, "sha256": sha256, "principal": principal},
        )
        row = made.one()
    return Import(int(row[0]), int(row[1]), row[2])


async def lock_staged(connection: AsyncConnection, import_id: int, expected_lines: int) -> bool:
    """Lock a running import for its next step; False where somebody else has taken it further or ended it."""
    row = await connection.execute(
        text("SELECT staged_lines = :lines AND state = 'staging' FROM imports WHERE id = :id FOR UPDATE"),
        {"id": import_id, "lines": expected_lines},
    )
    return bool(row.scalar_one_or_none())


async def staged_to(connection: AsyncConnection, import_id: int, lines: int) -> None:
    """Record how many lines of the file are staged."""
    await connection.execute(
        text("UPDATE imports SET staged_lines = :lines WHERE id = :id"), {"id": import_id, "lines": lines}
    )


async def finish(connection: AsyncConnection, import_id: int, state: str, changed: int) -> None:
    """End an import (`DONE`, `REFUSED`)."""
    await connection.execute(
        text("UPDATE imports SET state = :state, changed = :changed, finished_at = now() WHERE id = :id"),
        {"id": import_id, "state": state, "changed": changed},
    )


async def drop_staged(connection: AsyncConnection, table: str, import_id: int) -> None:
    """Delete the staged rows of a refused import."""
    await connection.execute(text(f"DELETE FROM {table} WHERE import_id = :import_id"), {"import_id": import_id})


async def analyze(connection: AsyncConnection, table: str) -> None:
    """Tell the planner what is staged. It remembers other imports: taking this one for a single row, it was seen to
    compare all of its 20,000 rows with each other."""
    await connection.execute(text(f"ANALYZE {table}"))


async def staged_count(connection: AsyncConnection, table: str, import_id: int) -> int:
    """How many rows are staged."""
    row = await connection.execute(
        text(f"SELECT count(*) FROM {table} WHERE import_id = :import_id"), {"import_id": import_id}
    )
    return int(row.scalar_one())
