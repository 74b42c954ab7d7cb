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

    @property
    def void(self) -> bool:
        """Neither granted nor revoked: an import that made the row was rolled back."""
        return not self.live and self.revoked_at is None


class RefusalRow(NamedTuple):
    """A refusal as it stands, over all lists that hold it."""

    callee_hash: bytes
    scope: str
    value: str
    in_force: bool
    band: str = ""


_CONSENT = (
    "SELECT callee_hash, operator, purpose, coalesce(granted_at > coalesce(revoked_at, '-infinity'), false), "
    "extract(epoch FROM expires_at)::float8, extract(epoch FROM revoked_at)::float8 FROM consents "
)
_REFUSAL = (
    "SELECT callee_hash, scope, value, "
    "coalesce(bool_or(declared_at >= coalesce(withdrawn_at, '-infinity')), false), band FROM refusals "
)
_TOGETHER = " GROUP BY callee_hash, scope, value, band ORDER BY callee_hash, scope, value, band"
"""Two lists may hold the same refusal: it is in force while it is in one of them."""
_CHANGED_REFUSALS = (
    "SELECT DISTINCT callee_hash, scope, value, EXISTS (SELECT FROM refusals AS o WHERE "
    "(o.callee_hash, o.scope, o.value, o.band) = (r.callee_hash, r.scope, r.value, r.band) "
    "AND o.declared_at >= coalesce(o.withdrawn_at, '-infinity')), band FROM refusals AS r "
    "WHERE change = ANY($1::bigint[])"
)
_RANGE = "WHERE callee_hash >= $1 AND ($2::bytea IS NULL OR callee_hash < $2)"
_NOT_VOID = "AND (granted_at IS NOT NULL OR revoked_at IS NOT NULL)"
_SCOPED = "AND (scope NOT IN ('all', 'category') OR band <> '')"


async def changed_consents(raw: Any, changes: Sequence[int]) -> AsyncIterator[ConsentRow]:
    """Consents last changed by these outbox rows. `raw`: asyncpg connection inside a transaction."""
    async for row in raw.cursor(_CONSENT + "WHERE change = ANY($1::bigint[])", changes, prefetch=BATCH):
        yield ConsentRow(*row)


async def changed_refusals(raw: Any, changes: Sequence[int]) -> AsyncIterator[RefusalRow]:
    """Refusals last changed by these outbox rows."""
    async for row in raw.cursor(_CHANGED_REFUSALS, changes, prefetch=BATCH):
        yield RefusalRow(*row)


async def scoped_refusals(raw: Any, hashes: Sequence[bytes]) -> list[RefusalRow]:
    """Refusals in force of these callees that are neither `all` nor `category`, or have a time band, in a fixed
    order."""
    rows = await raw.fetch(_REFUSAL + f"WHERE callee_hash = ANY($1::bytea[]) {_SCOPED}" + _TOGETHER, hashes)
    return [row for row in map(RefusalRow._make, rows) if row.in_force]


async def consents_between(raw: Any, low: bytes, high: bytes | None) -> AsyncIterator[ConsentRow]:
    """Consents with low <= hash < high (None: no upper bound), in hash order."""
    query = f"{_CONSENT}{_RANGE} {_NOT_VOID} ORDER BY callee_hash"
    async for row in raw.cursor(query, low, high, prefetch=BATCH):
        yield ConsentRow(*row)


async def refusals_between(raw: Any, low: bytes, high: bytes | None) -> AsyncIterator[RefusalRow]:
    """Refusals with low <= hash < high (None: no upper bound), in hash order."""
    async for row in raw.cursor(_REFUSAL + _RANGE + _TOGETHER, low, high, prefetch=BATCH):
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
            "count(*) FILTER (WHERE plain)) "
            "FROM (SELECT scope IN ('all', 'category') AND band = '' AS plain FROM refusals) AS found"
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


async def key_check(raw: Any) -> bytes:
    """Of the pseudonym key all this is hashed with, as the heads of Redis say it; empty where there is none yet."""
    found = await raw.fetchval("SELECT key_check FROM dataset")
    return b"" if found is None else found.hex().encode()
