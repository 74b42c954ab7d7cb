"""Refusals in SQL: declarations and withdrawals merged into one row per (callee, scope, value, band, list), whatever
their order.

A row keeps the newest of each; it is in force unless the withdrawal is newer. At equal times the
declaration wins. Rows of a decline feed are another matter: their feed's newest version says what stands
(`store.sql.feeds`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.sql.merged import Merged, merge_memory

SCOPES = ("all", "category", "caller_prefix", "caller", "operator")
OWN = ""
"""The deployment's own list."""
FEED, HOME = "feed:", "home:"
"""What the names of other lists begin with: a decline feed's, those of a resale operator's users."""

EVENT_COLUMNS = (
    "id", "callee_hash", "callee_sealed", "scope", "value", "band", "list", "withdraw", "at", "source", "agreement",
)  # fmt: skip
"""Of `refusal_events` and of the staging tables made like it."""


@dataclass(frozen=True, slots=True)
class RefusalEvent:
    """One declaration or withdrawal. `line`: of the file, 0 for a single event."""

    line: int
    callee_hash: bytes
    callee_sealed: str
    scope: str
    value: str
    withdraw: bool
    at: datetime
    source: str
    band: str = ""
    list: str = OWN
    agreement: str = ""


KEY = "callee_hash, scope, value, band, list"

_MERGE = f"""
WITH merged AS (
    INSERT INTO refusals AS r
        ({KEY}, callee_sealed, declared_at, withdrawn_at, source, agreement, change, born)
    SELECT {KEY}, min(callee_sealed),
        max(at) FILTER (WHERE NOT withdraw), max(at) FILTER (WHERE withdraw),
        coalesce((array_agg(source ORDER BY at DESC, id DESC) FILTER (WHERE NOT withdraw))[1], ''),
        coalesce((array_agg(agreement ORDER BY at DESC, id DESC) FILTER (WHERE agreement <> ''))[1], ''),
        :change, :born
    FROM {{source}} AS s
    GROUP BY {KEY} ORDER BY {KEY}
    ON CONFLICT ({KEY}) DO UPDATE SET
        declared_at = greatest(r.declared_at, excluded.declared_at),
        source = CASE WHEN excluded.declared_at >= coalesce(r.declared_at, '-infinity') AND excluded.source <> ''
            THEN excluded.source ELSE r.source END,
        agreement = CASE WHEN excluded.agreement <> '' THEN excluded.agreement ELSE r.agreement END,
        withdrawn_at = greatest(r.withdrawn_at, excluded.withdrawn_at),
        change = excluded.change
    WHERE excluded.declared_at > coalesce(r.declared_at, '-infinity')
        OR excluded.withdrawn_at > coalesce(r.withdrawn_at, '-infinity')
    RETURNING {KEY}, :born > 0 AND born = :born AS added
)
"""

AND_KEEP = f"""
, kept AS (
    INSERT INTO undo_refusals (change, {KEY}, declared_at, withdrawn_at, source, agreement)
    SELECT :change, {KEY}, r.declared_at, r.withdrawn_at, coalesce(r.source, ''), coalesce(r.agreement, '')
    FROM merged AS m LEFT JOIN refusals AS r USING ({KEY}) WHERE NOT m.added
)
"""
"""`refusals` is seen here as it was before this statement (see `store.sql.consents`)."""

COUNT = "SELECT list, count(*) FILTER (WHERE added), count(*) FILTER (WHERE NOT added) FROM merged GROUP BY 1"

KEYS = (
    "SELECT coalesce(sum(n), 0)::bigint, count(*) "
    f"FROM (SELECT count(*) AS n FROM {{source}} AS s GROUP BY {KEY}) AS k"
)


async def add_event(connection: AsyncConnection, event: RefusalEvent) -> str:
    """Keep a single event; the source to merge it from."""
    columns = EVENT_COLUMNS[1:]
    row = await connection.execute(
        text(
            f"INSERT INTO refusal_events ({', '.join(columns)}) VALUES ({', '.join(f':{name}' for name in columns)}) "
            "RETURNING id"
        ),
        {name: getattr(event, name) for name in columns},
    )
    return f"(SELECT * FROM refusal_events WHERE id = {int(row.scalar_one())})"


async def merge(connection: AsyncConnection, source: str, change: int, *, bulk: bool = False) -> Merged:
    """Merge the events of `source` (a table, or a query in brackets). `bulk`: keep what is needed to roll it back; the
    counts are by list then."""
    if bulk:
        await merge_memory(connection)
    rows, keys = (await connection.execute(text(KEYS.format(source=source)))).one()
    statement = _MERGE.format(source=source) + (AND_KEEP if bulk else "") + COUNT
    counted = await connection.execute(text(statement), {"change": change, "born": change if bulk else 0})
    return Merged(rows, keys, {row[0]: (row[1], row[2]) for row in counted})


async def is_in_force(connection: AsyncConnection, callee_hash: bytes, scope: str, value: str) -> bool:
    """Whether a refusal stands, in whoever's list, at all times."""
    row = await connection.execute(
        text(
            "SELECT coalesce(bool_or(declared_at >= coalesce(withdrawn_at, '-infinity')), false) FROM refusals "
            "WHERE callee_hash = :hash AND scope = :scope AND value = :value AND band = ''"
        ),
        {"hash": callee_hash, "scope": scope, "value": value},
    )
    return bool(row.scalar_one())
