"""Applies outbox rows: brings Redis to what the tables say now about everything those rows changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.control.rebuild import consent_field, consent_value, refusal_category
from gateway.control.redis_writer import Head, RedisWriter
from gateway.store.ports import ScopedRefusal
from gateway.store.redis import layout
from gateway.store.sql import outbox, projected
from gateway.store.sql.outbox import OutboxRow
from gateway.store.sql.projected import ConsentRow, RefusalRow
from gateway.store.sql.registry import load_snapshot

CHUNK = 500
"""Rows written in one Redis transaction: under a millisecond in which lookups wait."""

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Applied:
    """What was done. `entries`: consents written, an upper bound of what was added; `registry`: the version published,
    0 for none."""

    entries: int
    registry: int


class Applier:
    """Writes through one RedisWriter."""

    def __init__(self, writer: RedisWriter) -> None:
        self._writer = writer

    async def count(self, raw: Any, changes: Sequence[int], limit: int) -> int:
        """How many rows these outbox rows changed, counted up to `limit`."""
        return await projected.changed_count(raw, changes, limit)

    async def apply(self, connection: AsyncConnection, raw: Any, head: Head, rows: Sequence[OutboxRow]) -> Applied:
        """Apply rows; the watermark is the caller's. `connection` autocommits, `raw` is the driver's under it."""
        consents = [row.id for row in rows if row.kind == outbox.CONSENTS]
        refusals = [row.id for row in rows if row.kind == outbox.REFUSALS]
        registry = 0
        if not head.has_blob or any(row.kind == outbox.REGISTRY for row in rows):
            # One view of all its tables: another import may commit between two of the queries.
            async with raw.transaction(isolation="repeatable_read", readonly=True):
                snapshot = await load_snapshot(connection)
            await self._writer.publish_registry(snapshot.version, layout.encode_snapshot(snapshot))
            registry = snapshot.version
        entries = 0
        async with raw.transaction():
            if consents:
                async for held in _chunks(projected.changed_consents(raw, consents)):
                    await self._writer.guarded(head, _consents(head, held))
                    entries += len(held)
            if refusals:
                purposes = await projected.purpose_numbers(connection)
                async for declined in _chunks(projected.changed_refusals(raw, refusals)):
                    hashes = {row.callee_hash for row in declined if refusal_category(row, purposes) is None}
                    scoped = await projected.scoped_refusals(raw, list(hashes)) if hashes else []
                    await self._writer.guarded(head, _refusals(head, declined, purposes))
                    await self._writer.guarded(head, _scoped(head, hashes, scoped))
        return Applied(entries, registry)


def _consents(head: Head, rows: list[ConsentRow]) -> Callable[[Any], None]:
    def fill(pipe: Any) -> None:
        # A bulk import wrote its rows in hash order, and they come so: many share a bucket, and one command.
        held: dict[bytes, dict[Any, Any]] = {}
        for row in rows:
            # Never the marker: a bucket that was lost must stay unbelievable until it is whole again.
            key = layout.consents_key(head.epoch, layout.bucket_of(row.callee_hash, head.buckets))
            if row.void:
                pipe.hdel(key, consent_field(row))
            else:
                held.setdefault(key, {})[consent_field(row)] = consent_value(row)
        for key, fields in held.items():
            pipe.hset(key, mapping=fields)

    return fill


def _refusals(head: Head, rows: list[RefusalRow], purposes: dict[str, int]) -> Callable[[Any], None]:
    def fill(pipe: Any) -> None:
        for row in rows:
            category = refusal_category(row, purposes)
            if category is None:
                continue
            key = layout.refusals_key(head.epoch, layout.bucket_of(row.callee_hash, head.buckets))
            member = layout.refusal_member(row.callee_hash, category)
            if row.in_force:
                pipe.sadd(key, member)
            else:
                pipe.srem(key, member)

    return fill


def _scoped(head: Head, hashes: set[bytes], rows: list[RefusalRow]) -> Callable[[Any], None]:
    by_callee: dict[bytes, list[ScopedRefusal]] = {callee_hash: [] for callee_hash in hashes}
    for row in rows:
        by_callee[row.callee_hash].append(ScopedRefusal(row.scope, row.value, row.band))

    def fill(pipe: Any) -> None:
        for callee_hash, found in by_callee.items():
            key = layout.scoped_key(head.epoch, layout.bucket_of(callee_hash, head.buckets))
            field = layout.scoped_field(callee_hash)
            if found:
                pipe.hset(key, field, layout.encode_scoped(found))
            else:
                pipe.hdel(key, field)

    return fill


async def _chunks(rows: AsyncIterator[R]) -> AsyncIterator[list[R]]:
    chunk: list[R] = []
    async for row in rows:
        chunk.append(row)
        if len(chunk) >= CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
