"""Refusals in SQL: declarations and withdrawals merged into one row per (callee, scope, value), whatever
their order.

A row keeps the newest of each; it is in force unless the withdrawal is newer. At equal times the
declaration wins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.sql.engine import driver

SCOPES = ("all", "category", "caller_prefix", "caller", "operator")
STAGED_COLUMNS = (
    "import_id", "line", "callee_hash", "callee_sealed", "scope", "value", "withdraw", "at", "source",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RefusalEvent:
    """One declaration or withdrawal."""

    line: int
    callee_hash: bytes
    callee_sealed: str
    scope: str
    value: str
    withdraw: bool
    at: datetime
    source: str


_MERGE = """
INSERT INTO refusals AS r
    (callee_hash, scope, value, callee_sealed, declared_at, withdrawn_at, source, change)
SELECT callee_hash, scope, value, min(callee_sealed),
    max(at) FILTER (WHERE NOT withdraw), max(at) FILTER (WHERE withdraw),
    coalesce((array_agg(source ORDER BY at DESC, line DESC) FILTER (WHERE NOT withdraw))[1], ''), :change
FROM staged_refusals WHERE import_id = :import_id
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
ON CONFLICT (callee_hash, scope, value) DO UPDATE SET
    declared_at = greatest(r.declared_at, excluded.declared_at),
    source = CASE WHEN excluded.declared_at >= coalesce(r.declared_at, '-infinity') AND excluded.source <> ''
        THEN excluded.source ELSE r.source END,
    withdrawn_at = greatest(r.withdrawn_at, excluded.withdrawn_at),
    change = excluded.change
WHERE excluded.declared_at > coalesce(r.declared_at, '-infinity')
    OR excluded.withdrawn_at > coalesce(r.withdrawn_at, '-infinity')
"""


async def stage(connection: AsyncConnection, import_id: int, events: Iterable[RefusalEvent]) -> None:
    """COPY events into the staging table."""
    await (await driver(connection)).copy_records_to_table(
        "staged_refusals",
        columns=STAGED_COLUMNS,
        records=[
            (import_id, event.line, event.callee_hash, event.callee_sealed, event.scope, event.value,
             event.withdraw, event.at, event.source)
            for event in events
        ],
    )  # fmt: skip


async def merge(connection: AsyncConnection, import_id: int, change: int) -> int:
    """Merge the staged events of an import, empty its staging; how many rows changed."""
    done = await connection.execute(text(_MERGE), {"import_id": import_id, "change": change})
    await connection.execute(text("DELETE FROM staged_refusals WHERE import_id = :import_id"), {"import_id": import_id})
    return int(done.rowcount)


async def is_in_force(connection: AsyncConnection, callee_hash: bytes, scope: str, value: str) -> bool:
    """Whether a refusal stands."""
    row = await connection.execute(
        text(
            "SELECT declared_at >= coalesce(withdrawn_at, '-infinity') FROM refusals "
            "WHERE callee_hash = :hash AND scope = :scope AND value = :value"
        ),
        {"hash": callee_hash, "scope": scope, "value": value},
    )
    return bool(row.scalar_one_or_none())
