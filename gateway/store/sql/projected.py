"""What the projector reads: consents and refusals by change, by hash range, or all in hash order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

BATCH = 1_000
"""Rows per fetch of a server-side cursor."""


class ConsentRow(NamedTuple):
    """A consent as it stands. Times are epoch seconds."""

    callee_hash: bytes
    operator: int
    purpose: int
    live: bool
    expires_at: float | None
    revoked_at: float | None


class RefusalRow(NamedTuple):
    """A refusal as it stands."""

    callee_hash: bytes
    scope: str
    value: str
    in_force: bool


_CONSENT = (
    "SELECT callee_hash, operator, purpose, coalesce(granted_at > coalesce(revoked_at, '-infinity'), false), "
    "extract(epoch FROM expires_at)::float8, extract(epoch FROM revoked_at)::float8 FROM consents "
)
_REFUSAL = (
    "SELECT callee_hash, scope, value, coalesce(declared_at >= coalesce(withdrawn_at, '-infinity'), false) "
    "FROM refusals "
)
_RANGE = "WHERE callee_hash >= $1 AND ($2::bytea IS NULL OR callee_hash < $2) ORDER BY callee_hash"
_SCOPED = "AND scope NOT IN ('all', 'category')"


async def changed_consents(raw: Any, changes: Sequence[int]) -> AsyncIterator[ConsentRow]:
    """Consents last changed by these outbox rows. `raw`: asyncpg connection inside a transaction."""
    async for row in raw.cursor(_CONSENT + "WHERE change = ANY($1::bigint[])", changes, prefetch=BATCH):
        yield ConsentRow(*row)


async def changed_refusals(raw: Any, changes: Sequence[int]) -> AsyncIterator[RefusalRow]:
    """Refusals last changed by these outbox rows."""
    async for row in raw.cursor(_REFUSAL + "WHERE change = ANY($1::bigint[])", changes, prefetch=BATCH):
        yield RefusalRow(*row)


async def scoped_refusals(raw: Any, hashes: Sequence[bytes]) -> list[RefusalRow]:
    """Refusals in force of these callees that are neither `all` nor `category`, in a fixed order."""
    rows = await raw.fetch(
        _REFUSAL + f"WHERE callee_hash = ANY($1::bytea[]) {_SCOPED} ORDER BY callee_hash, scope, value", hashes
    )
    return [row for row in map(RefusalRow._make, rows) if row.in_force]


async def consents_between(raw: Any, low: bytes, high: bytes | None) -> AsyncIterator[ConsentRow]:
    """Consents with low <= hash < high (None: no upper bound), in hash order."""
    async for row in raw.cursor(_CONSENT + _RANGE, low, high, prefetch=BATCH):
        yield ConsentRow(*row)


async def refusals_between(raw: Any, low: bytes, high: bytes | None) -> AsyncIterator[RefusalRow]:
    """Refusals with low <= hash < high (None: no upper bound), in hash order."""
    async for row in raw.cursor(_REFUSAL + _RANGE + ", scope, value", low, high, prefetch=BATCH):
        yield RefusalRow(*row)


async def purpose_numbers(connection: AsyncConnection) -> dict[str, int]:
    """Purpose name to number."""
    return {row[0]: int(row[1]) for row in await connection.execute(text("SELECT name, number FROM purposes"))}


async def entries(raw: Any) -> int:
    """Entries of all hashes (consents, callees of scoped refusals) or of all sets (the other refusals), whichever are
    more: what the bucket count is chosen by."""
    return int(
        await raw.fetchval(
            "SELECT greatest((SELECT count(*) FROM consents) + count(*) FILTER (WHERE NOT plain), "
            "count(*) FILTER (WHERE plain)) FROM (SELECT scope IN ('all', 'category') AS plain FROM refusals) AS found"
        )
    )


async def estimated_entries(raw: Any) -> int:
    """About as many as `entries`, at once."""
    return int(
        await raw.fetchval(
            "SELECT greatest(max(reltuples), 0) FROM pg_class WHERE oid IN ('consents'::regclass, 'refusals'::regclass)"
        )
    )


async def changed_count(raw: Any, changes: Sequence[int], limit: int) -> int:
    """How many rows these outbox rows changed, counted up to `limit`."""
    counted = 0
    for table in ("consents", "refusals"):
        counted += await raw.fetchval(
            f"SELECT count(*) FROM (SELECT FROM {table} WHERE change = ANY($1::bigint[]) LIMIT $2) AS t",
            changes,
            limit,
        )
    return counted
