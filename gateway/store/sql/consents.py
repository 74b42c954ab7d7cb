"""Consents in SQL: events merged into one row per (callee, operator, purpose), whatever their order.

A row keeps the newest grant and the newest revoke; it is live while the grant is newer. Merging is
commutative and idempotent: the same events in any order, or twice, give the same row. At equal times the
revoke wins, and of two grants the one that ends first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.sql.engine import driver

STAGED_COLUMNS = (
    "import_id", "line", "callee_hash", "callee_sealed", "operator", "purpose", "revoke", "at", "expires_at",
    "evidence_uri",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ConsentEvent:
    """One grant or revoke."""

    line: int
    callee_hash: bytes
    callee_sealed: str
    operator: int
    purpose: int
    revoke: bool
    at: datetime
    expires_at: datetime | None
    evidence_uri: str | None


_MERGE = """
INSERT INTO consents AS c
    (callee_hash, operator, purpose, callee_sealed, granted_at, expires_at, evidence_uri, revoked_at, change)
SELECT k.callee_hash, k.operator, k.purpose, k.callee_sealed, g.at, g.expires_at, g.evidence_uri, k.revoked_at,
    :change
FROM (
    SELECT callee_hash, operator, purpose, min(callee_sealed) AS callee_sealed,
        max(at) FILTER (WHERE revoke) AS revoked_at
    FROM staged_consents WHERE import_id = :import_id GROUP BY 1, 2, 3
) AS k
LEFT JOIN (
    SELECT DISTINCT ON (callee_hash, operator, purpose)
        callee_hash, operator, purpose, at, expires_at, evidence_uri
    FROM staged_consents WHERE import_id = :import_id AND NOT revoke
    ORDER BY callee_hash, operator, purpose, at DESC, expires_at NULLS LAST, line DESC
) AS g USING (callee_hash, operator, purpose)
ORDER BY 1, 2, 3
ON CONFLICT (callee_hash, operator, purpose) DO UPDATE SET
    granted_at = greatest(c.granted_at, excluded.granted_at),
    expires_at = CASE
        WHEN c.granted_at IS NULL OR excluded.granted_at > c.granted_at THEN excluded.expires_at
        WHEN excluded.granted_at = c.granted_at THEN least(c.expires_at, excluded.expires_at)
        ELSE c.expires_at END,
    evidence_uri = CASE
        WHEN c.granted_at IS NULL OR excluded.granted_at > c.granted_at THEN excluded.evidence_uri
        WHEN excluded.granted_at = c.granted_at THEN coalesce(excluded.evidence_uri, c.evidence_uri)
        ELSE c.evidence_uri END,
    revoked_at = greatest(c.revoked_at, excluded.revoked_at),
    change = excluded.change
WHERE c.granted_at IS NULL AND excluded.granted_at IS NOT NULL
    OR excluded.granted_at > c.granted_at
    OR excluded.granted_at = c.granted_at AND (
        excluded.expires_at < coalesce(c.expires_at, 'infinity')
        OR excluded.evidence_uri IS DISTINCT FROM c.evidence_uri AND excluded.evidence_uri IS NOT NULL)
    OR c.revoked_at IS NULL AND excluded.revoked_at IS NOT NULL
    OR excluded.revoked_at > c.revoked_at
"""
"""Sorted by key, so that two imports that touch the same rows lock them in one order. Rows that would not
change keep their `change`: a repeated import is projected for nothing."""


async def stage(connection: AsyncConnection, import_id: int, events: Iterable[ConsentEvent]) -> None:
    """COPY events into the staging table."""
    await (await driver(connection)).copy_records_to_table(
        "staged_consents",
        columns=STAGED_COLUMNS,
        records=[
            (import_id, event.line, event.callee_hash, event.callee_sealed, event.operator, event.purpose,
             event.revoke, event.at, event.expires_at, event.evidence_uri)
            for event in events
        ],
    )  # fmt: skip


async def merge(connection: AsyncConnection, import_id: int, change: int) -> int:
    """Merge the staged events of an import, empty its staging; how many rows changed."""
    done = await connection.execute(text(_MERGE), {"import_id": import_id, "change": change})
    await connection.execute(text("DELETE FROM staged_consents WHERE import_id = :import_id"), {"import_id": import_id})
    return int(done.rowcount)


async def is_live(connection: AsyncConnection, callee_hash: bytes, operator: int, purpose: int, at: datetime) -> bool:
    """Whether a consent is in force at `at`."""
    row = await connection.execute(
        text(
            "SELECT granted_at > coalesce(revoked_at, '-infinity') AND :at < coalesce(expires_at, 'infinity') "
            "FROM consents WHERE callee_hash = :hash AND operator = :operator AND purpose = :purpose"
        ),
        {"at": at, "hash": callee_hash, "operator": operator, "purpose": purpose},
    )
    return bool(row.scalar_one_or_none())
