"""Consents in SQL: events merged into one row per (callee, operator, purpose), whatever their order.

A row keeps the newest grant and the newest revoke; it is live while the grant is newer. Merging is
commutative and idempotent: the same events in any order, or twice, give the same row. At equal times the
revoke wins, and of two grants the one that ends first. The proof of a grant comes and goes with it, whole."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.ports import Conflict
from gateway.store.sql.merged import Merged, merge_memory

EVENT_COLUMNS = (
    "id", "callee_hash", "callee_sealed", "operator", "purpose", "revoke", "at", "expires_at", "evidence_uri",
    "evidence_sha256", "evidence_method", "evidence_at",
)  # fmt: skip
"""Of `consent_events` and of the staging tables made like it."""


@dataclass(frozen=True, slots=True)
class ConsentEvent:
    """One grant or revoke. `line`: of the file, 0 for a single event."""

    line: int
    callee_hash: bytes
    callee_sealed: str
    operator: int
    purpose: int
    revoke: bool
    at: datetime
    expires_at: datetime | None = None
    evidence_uri: str | None = None
    evidence_sha256: bytes | None = None
    evidence_method: str | None = None
    evidence_at: datetime | None = None


_PROOF = ("evidence_uri", "evidence_sha256", "evidence_method", "evidence_at")
_PROOF_LIST = ", ".join(_PROOF)
_PROOF_OF_GRANT = ", ".join(f"CASE WHEN NOT revoke THEN {name} END AS {name}" for name in _PROOF)
_GIVEN = f"num_nonnulls({', '.join(f'excluded.{name}' for name in _PROOF)}) > 0"
_NEWER = "(c.granted_at IS NULL OR excluded.granted_at > c.granted_at)"
_SAME = f"excluded.granted_at = c.granted_at AND {_GIVEN}"
_PROOF_SET = ", ".join(
    f"{name} = CASE WHEN {_NEWER} AND excluded.granted_at IS NOT NULL OR {_SAME} "
    f"THEN excluded.{name} ELSE c.{name} END"
    for name in _PROOF
)
_PROOF_OLD = ", ".join(f"c.{name}" for name in _PROOF)
_PROOF_NEW = ", ".join(f"excluded.{name}" for name in _PROOF)

_DISTINCT = f"""
SELECT callee_hash, operator, purpose, callee_sealed, CASE WHEN NOT revoke THEN at END AS granted_at,
    CASE WHEN NOT revoke THEN expires_at END AS expires_at, {_PROOF_OF_GRANT},
    CASE WHEN revoke THEN at END AS revoked_at
FROM {{source}} AS s
"""
"""Where no row of the source shares its key with another."""

_GROUPED = f"""
SELECT k.callee_hash, k.operator, k.purpose, k.callee_sealed, g.at AS granted_at, g.expires_at, {_PROOF_LIST},
    k.revoked_at
FROM (
    SELECT callee_hash, operator, purpose, min(callee_sealed) AS callee_sealed,
        max(at) FILTER (WHERE revoke) AS revoked_at
    FROM {{source}} AS s GROUP BY 1, 2, 3
) AS k
LEFT JOIN (
    SELECT DISTINCT ON (callee_hash, operator, purpose) callee_hash, operator, purpose, at, expires_at, {_PROOF_LIST}
    FROM {{source}} AS s WHERE NOT revoke
    ORDER BY callee_hash, operator, purpose, at DESC, expires_at NULLS LAST, id DESC
) AS g USING (callee_hash, operator, purpose)
"""

_MERGE = f"""
WITH merged AS (
    INSERT INTO consents AS c
        (callee_hash, operator, purpose, callee_sealed, granted_at, expires_at, {_PROOF_LIST}, revoked_at, change, born)
    SELECT n.*, :change, :born FROM ({{events}}) AS n
    ORDER BY callee_hash, operator, purpose
    ON CONFLICT (callee_hash, operator, purpose) DO UPDATE SET
        granted_at = greatest(c.granted_at, excluded.granted_at),
        expires_at = CASE
            WHEN excluded.granted_at IS NOT NULL AND {_NEWER} THEN excluded.expires_at
            WHEN excluded.granted_at = c.granted_at THEN least(c.expires_at, excluded.expires_at)
            ELSE c.expires_at END,
        {_PROOF_SET},
        revoked_at = greatest(c.revoked_at, excluded.revoked_at),
        change = excluded.change
    WHERE excluded.granted_at IS NOT NULL AND {_NEWER}
        OR excluded.granted_at = c.granted_at AND (
            excluded.expires_at < coalesce(c.expires_at, 'infinity')
            OR {_GIVEN} AND ({_PROOF_NEW}) IS DISTINCT FROM ({_PROOF_OLD}))
        OR c.revoked_at IS NULL AND excluded.revoked_at IS NOT NULL
        OR excluded.revoked_at > c.revoked_at
    RETURNING callee_hash, operator, purpose, :born > 0 AND born = :born AS added
)
"""
"""Sorted by key, so that two imports that touch the same rows lock them in one order. Rows that would not
change keep their `change`: a repeated import is projected for nothing."""

_AND_KEEP = f"""
, kept AS (
    INSERT INTO undo_consents
        (change, callee_hash, operator, purpose, granted_at, expires_at, {_PROOF_LIST}, revoked_at)
    SELECT :change, m.callee_hash, m.operator, m.purpose, c.granted_at, c.expires_at, {_PROOF_OLD}, c.revoked_at
    FROM merged AS m LEFT JOIN consents AS c USING (callee_hash, operator, purpose) WHERE NOT m.added
)
"""
"""`consents` is seen here as it was before this statement. A single event that was merged between is seen by neither;
it is in `consent_events`, and a rollback merges it again."""

_COUNT = "SELECT operator, count(*) FILTER (WHERE added), count(*) FILTER (WHERE NOT added) FROM merged GROUP BY 1"

_SEVERAL = (
    "SELECT coalesce(sum(n), 0)::bigint, count(*) "
    "FROM (SELECT count(*) AS n FROM {source} AS s GROUP BY callee_hash, operator, purpose) AS k"
)
_UNKNOWN = """
SELECT 'operator ' || operator FROM (SELECT DISTINCT operator FROM {source} AS s) AS o
    WHERE operator NOT IN (SELECT number FROM operators)
UNION ALL SELECT 'purpose ' || purpose FROM (SELECT DISTINCT purpose FROM {source} AS s) AS p
    WHERE purpose NOT IN (SELECT number FROM purposes)
"""


async def add_event(connection: AsyncConnection, event: ConsentEvent) -> str:
    """Keep a single event; the source to merge it from."""
    columns = EVENT_COLUMNS[1:]
    row = await connection.execute(
        text(
            f"INSERT INTO consent_events ({', '.join(columns)}) VALUES ({', '.join(f':{name}' for name in columns)}) "
            "RETURNING id"
        ),
        {name: getattr(event, name) for name in columns},
    )
    return f"(SELECT * FROM consent_events WHERE id = {int(row.scalar_one())})"


async def merge(connection: AsyncConnection, source: str, change: int, *, bulk: bool = False) -> Merged:
    """Merge the events of `source` (a table, or a query in brackets). `bulk`: keep what is needed to roll it back; the
    counts are by operator number then. Raises Conflict where an operator or purpose is not there."""
    if bulk:
        await merge_memory(connection)
    unknown = (await connection.execute(text(_UNKNOWN.format(source=source)))).scalars().all()
    if unknown:
        raise Conflict(f"{', '.join(unknown)}: not in the registry: import the file again")
    rows, keys = (await connection.execute(text(_SEVERAL.format(source=source)))).one()
    events = (_DISTINCT if rows == keys else _GROUPED).format(source=source)
    statement = _MERGE.format(events=events) + (_AND_KEEP if bulk else "") + _COUNT
    counted = await connection.execute(text(statement), {"change": change, "born": change if bulk else 0})
    return Merged(rows, keys, {str(row[0]): (row[1], row[2]) for row in counted})


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
