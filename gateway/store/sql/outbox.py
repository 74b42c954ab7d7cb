"""The outbox: every change says in its own transaction that there is something to project.

A row names only a kind. What it means is found by its id: consents and refusals carry it in `change`, the
registry has one current version. So applying a row means "bring Redis to what the tables say now", which is
idempotent and may be repeated from any earlier watermark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

REGISTRY = "registry"
CONSENTS = "consents"
REFUSALS = "refusals"

CHANNEL = "callgate_outbox"
"""NOTIFY channel that wakes the projector; a lost notification costs one poll interval."""

KEEP_DAYS = 7
"""Applied rows are kept this long: a Redis that fails over to a replica staler than that is rebuilt
instead."""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One change. `settled`: no transaction that may still commit has a smaller xid."""

    xid: int
    id: int
    at: float
    """Epoch seconds."""
    kind: str
    settled: bool


_ROWS_AFTER = (
    "SELECT xid, id, extract(epoch FROM at)::float8, kind, "
    "xid < pg_snapshot_xmin(pg_current_snapshot())::text::bigint FROM outbox "
    "WHERE (xid, id) > ($1::bigint, $2::bigint) ORDER BY xid, id LIMIT $3::bigint"
)


async def announce(connection: AsyncConnection, kind: str) -> int:
    """Write an outbox row in the running transaction, wake the projector at commit, return the row's id."""
    row = await connection.execute(text("INSERT INTO outbox (kind) VALUES (:kind) RETURNING id"), {"kind": kind})
    await connection.execute(text("SELECT pg_notify(:channel, '')"), {"channel": CHANNEL})
    return int(row.scalar_one())


async def rows_after(raw: Any, xid: int, row_id: int, limit: int) -> list[OutboxRow]:
    """Committed rows after (xid, row_id), in that order, at most `limit`. `raw`: the driver's connection."""
    found = await raw.fetch(_ROWS_AFTER, xid, row_id, limit)
    return [OutboxRow(*row) for row in found]


async def horizon(connection: AsyncConnection) -> int:
    """Oldest transaction id that may still commit, as the running transaction sees it."""
    row = await connection.execute(text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"))
    return int(row.scalar_one())


async def trim(connection: AsyncConnection, applied_xid: int) -> int:
    """Delete rows older than KEEP_DAYS of transactions before `applied_xid`; move the floor; return how
    many."""
    found = await connection.execute(
        text("DELETE FROM outbox WHERE xid < :xid AND at < now() - make_interval(days => :days) RETURNING xid"),
        {"xid": applied_xid, "days": KEEP_DAYS},
    )
    gone = [int(row[0]) for row in found]
    if gone:
        await connection.execute(
            text("UPDATE dataset SET outbox_floor = greatest(outbox_floor, :floor)"), {"floor": max(gone)}
        )
    return len(gone)
