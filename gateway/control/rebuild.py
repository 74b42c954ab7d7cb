"""The projection made anew: the whole data set under a new epoch, or one bucket of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.redis_writer import SHARD, Head, RedisWriter
from gateway.store.ports import ScopedRefusal
from gateway.store.redis import layout
from gateway.store.sql import dataset, outbox, projected
from gateway.store.sql.engine import driver
from gateway.store.sql.projected import ConsentRow, RefusalRow
from gateway.store.sql.registry import load_snapshot

FLUSH_FIELDS = 4_000
"""Fields sent to Redis in one pipeline while rebuilding."""
MAX_ROW = (1 << 63) - 1
MAX_AHEAD = 100_000
"""Rows remembered as projected while an older transaction is still open; further ones are applied once more."""

R = TypeVar("R", ConsentRow, RefusalRow)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild read. `entries`: consents or refusals, whichever are more; `ahead`: ids of outbox rows that lie
    behind the watermark it wrote and are in the data nevertheless."""

    entries: int
    ahead: frozenset[int]


async def rebuild(engine: AsyncEngine, writer: RedisWriter, old_epoch: int) -> Rebuilt:
    """Project everything under a new epoch and switch the head to it.

    `old_epoch`: the one Redis names now, 0 for none. All is read in one snapshot of the database; what commits after it
    lies behind the watermark that is written. Raises FenceLost where another projector has taken over meanwhile.
    """
    async with engine.begin() as connection:
        epoch = await dataset.next_epoch(connection, old_epoch)
    async with engine.connect() as connection:
        await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        oldest = await outbox.horizon(connection)
        raw = await driver(connection)
        ahead = await outbox.rows_after(raw, oldest - 1, MAX_ROW, MAX_AHEAD)
        snapshot = await load_snapshot(connection)
        count = await projected.entries(raw)
        buckets = layout.choose_buckets(count)
        await _write_buckets(raw, writer, epoch, buckets, snapshot.purposes)
    await writer.publish_registry(snapshot.version, layout.encode_snapshot(snapshot))
    async with engine.begin() as connection:
        await dataset.write_buckets(connection, epoch, buckets)

    def switch(pipe: Any) -> None:
        pipe.set(layout.watermark_key(epoch, SHARD), layout.encode_watermark(oldest - 1, MAX_ROW))
        pipe.hset(layout.HEAD_KEY, mapping=writer.head_fields(snapshot.version, epoch, buckets))

    await writer.guarded(None, switch)
    return Rebuilt(count, frozenset(row.id for row in ahead))


async def repair_bucket(raw: Any, writer: RedisWriter, head: Head, bucket: int, purposes: dict[str, int]) -> None:
    """Write one bucket anew, in one step. `raw`: asyncpg connection inside a transaction."""
    low, high = bucket_range(bucket, head.buckets)
    consents = [row async for row in projected.consents_between(raw, low, high)]
    refusals = [row async for row in projected.refusals_between(raw, low, high)]

    def fill(pipe: Any) -> None:
        for command in bucket_commands(head.epoch, bucket, consents, refusals, purposes):
            command(pipe)

    await writer.guarded(head, fill)


def bucket_range(bucket: int, buckets: int) -> tuple[bytes, bytes | None]:
    """Hashes of a bucket (layout.bucket_of): low <= hash < high; high None for the last bucket."""
    low = -(-(bucket << 32) // buckets)
    high = -(-((bucket + 1) << 32) // buckets)
    return low.to_bytes(4, "big"), None if high >> 32 else high.to_bytes(4, "big")


def bucket_commands(
    epoch: int, bucket: int, consents: list[ConsentRow], refusals: list[RefusalRow], purposes: dict[str, int]
) -> list[Callable[[Any], object]]:
    """Commands that make a bucket hold exactly these rows, markers included."""
    consents_key = layout.consents_key(epoch, bucket)
    refusals_key = layout.refusals_key(epoch, bucket)
    scoped_key = layout.scoped_key(epoch, bucket)
    held: dict[Any, Any] = {layout.MARKER_FIELD: layout.marker_value(epoch)}
    held.update((consent_field(row), consent_value(row)) for row in consents)
    members = [layout.marker_member(epoch)]
    scoped: dict[bytes, list[ScopedRefusal]] = {}
    for row in refusals:
        if row.in_force:
            category = refusal_category(row, purposes)
            if category is None:
                scoped.setdefault(row.callee_hash, []).append(ScopedRefusal(row.scope, row.value, row.band))
            else:
                members.append(layout.refusal_member(row.callee_hash, category))
    scoped_held: dict[Any, Any] = {layout.MARKER_FIELD: layout.marker_value(epoch)}
    for callee_hash, found in scoped.items():
        scoped_held[layout.scoped_field(callee_hash)] = layout.encode_scoped(found)
    return [
        lambda pipe: pipe.unlink(consents_key, refusals_key, scoped_key),
        lambda pipe: pipe.hset(consents_key, mapping=held),
        lambda pipe: pipe.sadd(refusals_key, *members),
        lambda pipe: pipe.hset(scoped_key, mapping=scoped_held),
    ]


def consent_field(row: ConsentRow) -> bytes:
    """Its field in the bucket."""
    return layout.consent_field(row.callee_hash, row.operator, row.purpose)


def consent_value(row: ConsentRow) -> bytes:
    """Its value there."""
    return layout.encode_live(row.expires_at) if row.live else layout.encode_revoked(row.revoked_at or 0.0)


def refusal_category(row: RefusalRow, purposes: dict[str, int]) -> int | None:
    """Category code of a refusal kept in the set; None for the other scopes, and for those with a time band."""
    if row.band:
        return None
    if row.scope == "all":
        return layout.REFUSES_ALL
    return purposes[row.value] if row.scope == "category" else None


async def _write_buckets(raw: Any, writer: RedisWriter, epoch: int, buckets: int, purposes: dict[str, int]) -> None:
    """All rows, in hash order and so bucket by bucket."""
    consents = _ByBucket(projected.consents_between(raw, b"", None), buckets)
    refusals = _ByBucket(projected.refusals_between(raw, b"", None), buckets)
    commands: list[Callable[[Any], object]] = []
    fields = 0
    for bucket in range(buckets):
        held, declined = await consents.take(bucket), await refusals.take(bucket)
        commands += bucket_commands(epoch, bucket, held, declined, purposes)
        fields += 4 + len(held) + len(declined)
        if fields >= FLUSH_FIELDS:
            await writer.unguarded(commands)
            commands, fields = [], 0
    if commands:
        await writer.unguarded(commands)


class _ByBucket(Generic[R]):
    """Rows in hash order, handed out bucket by bucket."""

    def __init__(self, rows: AsyncIterator[R], buckets: int) -> None:
        self._rows: AsyncIterator[R] = rows
        self._buckets = buckets
        self._next: R | None = None

    async def take(self, bucket: int) -> list[R]:
        """The rows of `bucket`; buckets are asked for in order."""
        taken = []
        row = self._next or await anext(self._rows, None)
        while row is not None and layout.bucket_of(row.callee_hash, self._buckets) == bucket:
            taken.append(row)
            row = await anext(self._rows, None)
        self._next = row
        return taken
