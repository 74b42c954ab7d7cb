"""Decline feeds in SQL: what each says stands, by its newest version.

A feed's rows are a partition of `refusals` of its own (`list` = `feed:ID`). A full version replaces the partition, a
delta declares and withdraws in it; event time has no say here, the feed's own order has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.registry.model import Feed
from gateway.store.sql.merged import Merged, merge_memory
from gateway.store.sql.refusals import AND_KEEP, COUNT, FEED, KEY, KEYS


@dataclass(frozen=True, slots=True)
class FeedState:
    """A feed as it stands. `version` 0: nothing imported yet."""

    id: str
    max_age_s: int
    max_shrink: float
    version: int
    issued_at: datetime | None
    rows: int
    imported_at: datetime | None

    @property
    def list(self) -> str:
        """Its list in `refusals`."""
        return FEED + self.id


_COLUMNS = "id, max_age_s, max_shrink, version, issued_at, rows, imported_at"

_APPLY = f"""
WITH merged AS (
    INSERT INTO refusals AS r
        ({KEY}, callee_sealed, declared_at, withdrawn_at, source, change, born)
    SELECT {KEY}, callee_sealed, CASE WHEN NOT withdraw THEN at END, CASE WHEN withdraw THEN at END, source, :change,
        :change
    FROM (SELECT DISTINCT ON ({KEY}) * FROM {{source}} AS s ORDER BY {KEY}, id DESC) AS n
    WHERE NOT withdraw OR EXISTS (
        SELECT FROM refusals AS o WHERE (o.callee_hash, o.scope, o.value, o.band, o.list)
            = (n.callee_hash, n.scope, n.value, n.band, n.list))
    ORDER BY {KEY}
    ON CONFLICT ({KEY}) DO UPDATE SET
        declared_at = excluded.declared_at, withdrawn_at = excluded.withdrawn_at, source = excluded.source,
        change = excluded.change
    WHERE (r.declared_at IS NULL) <> (excluded.declared_at IS NULL) OR r.source <> excluded.source
    RETURNING {KEY}, born = :change AS added
)
{AND_KEEP}{COUNT}
"""

_STANDING = "list = :list AND declared_at IS NOT NULL"
_ABSENT = (
    "NOT EXISTS (SELECT FROM {source} AS s WHERE (s.callee_hash, s.scope, s.value, s.band) "
    "= (r.callee_hash, r.scope, r.value, r.band))"
)

_DROP = f"""
WITH merged AS (
    UPDATE refusals AS r SET declared_at = NULL, withdrawn_at = :at, change = :change
    WHERE {_STANDING} AND {_ABSENT} RETURNING {KEY}, false AS added
)
{AND_KEEP}{COUNT}
"""


async def load(connection: AsyncConnection, feed: str, *, lock: bool = False) -> FeedState | None:
    """A feed; locked until commit if asked."""
    tail = " FOR UPDATE" if lock else ""
    row = await connection.execute(text(f"SELECT {_COLUMNS} FROM feeds WHERE id = :id{tail}"), {"id": feed})
    found = row.one_or_none()
    return FeedState(*found) if found else None


async def load_all(connection: AsyncConnection) -> list[FeedState]:
    """Every feed, by id."""
    rows = await connection.execute(text(f"SELECT {_COLUMNS} FROM feeds ORDER BY id"))
    return [FeedState(*row) for row in rows]


async def snapshot_feeds(connection: AsyncConnection) -> tuple[Feed, ...]:
    """What workers have to know: how old each may become, and is. One nothing was imported of yet does not count."""
    return tuple(
        Feed(feed.id, feed.version, feed.issued_at.timestamp(), feed.max_age_s)
        for feed in await load_all(connection)
        if feed.issued_at is not None
    )


async def define(connection: AsyncConnection, feed: str, max_age_s: int, max_shrink: float, principal: str) -> None:
    """Make a feed, or change its limits."""
    await connection.execute(
        text(
            "INSERT INTO feeds (id, max_age_s, max_shrink, principal) VALUES (:id, :age, :shrink, :principal) "
            "ON CONFLICT (id) DO UPDATE SET max_age_s = :age, max_shrink = :shrink"
        ),
        {"id": feed, "age": max_age_s, "shrink": max_shrink, "principal": principal},
    )


async def standing(connection: AsyncConnection, name: str) -> int:
    """Rows of a feed's list that stand."""
    row = await connection.execute(text(f"SELECT count(*) FROM refusals WHERE {_STANDING}"), {"list": name})
    return int(row.scalar_one())


async def would_drop(connection: AsyncConnection, name: str, source: str) -> int:
    """How many standing rows a full version in `source` does not hold any more."""
    await merge_memory(connection)
    row = await connection.execute(
        text(f"SELECT count(*) FROM refusals AS r WHERE {_STANDING} AND {_ABSENT.format(source=source)}"),
        {"list": name},
    )
    return int(row.scalar_one())


async def apply(
    connection: AsyncConnection, name: str, source: str, change: int, *, full: bool, at: datetime
) -> Merged:
    """Take over a version, in the order of the feed; what a full one does not hold any more is withdrawn at `at`."""
    await merge_memory(connection)
    rows, keys = (await connection.execute(text(KEYS.format(source=source)))).one()
    added = changed = dropped = 0
    for _, new, different in await connection.execute(text(_APPLY.format(source=source)), {"change": change}):
        added, changed = new, different
    if full:
        gone = {"change": change, "list": name, "at": at}
        for _, _, different in await connection.execute(text(_DROP.format(source=source)), gone):
            dropped = different
    return Merged(rows, keys, {name: (added, changed + dropped)}, dropped)


async def advance(
    connection: AsyncConnection, feed: str, version: int, issued_at: datetime | None, rows: int
) -> None:
    """Record which version is in force now."""
    await connection.execute(
        text("UPDATE feeds SET version = :version, issued_at = :issued, rows = :rows, imported_at = now() "
             "WHERE id = :id"),
        {"id": feed, "version": version, "issued": issued_at, "rows": rows},
    )  # fmt: skip
