"""Applies outbox rows: brings a shard to what the tables say now about everything of its own those rows changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.control.publishing import publication
from gateway.control.rebuild import consent_field, consent_value, refusal_category
from gateway.control.redis_writer import Change, Head, RedisWriter
from gateway.store.ports import ScopedRefusal
from gateway.store.redis import layout
from gateway.store.redis.names import PLACE_SHIFT
from gateway.store.sql import outbox, projected
from gateway.store.sql.outbox import OutboxRow
from gateway.store.sql.projected import ConsentRow, RefusalRow

CHUNK = 500
"""Rows written in one step of Redis: under a millisecond in which lookups wait."""

R = TypeVar("R", ConsentRow, RefusalRow)


@dataclass(frozen=True, slots=True)
class Applied:
    """What was done. `entries`: rows written, an upper bound of what was added; `registry`: the version published,
    0 for none."""

    entries: int
    registry: int


class Applier:
    """Writes through one RedisWriter."""

    def __init__(self, writer: RedisWriter) -> None:
        self._writer = writer
        self._places = frozenset(writer.shard.places)

    async def count(self, raw: Any, changes: Sequence[int], limit: int) -> int:
        """How many rows these outbox rows changed, counted up to `limit`."""
        return await projected.changed_count(raw, changes, limit)

    async def apply(self, connection: AsyncConnection, raw: Any, head: Head, rows: Sequence[OutboxRow]) -> Applied:
        """Apply rows; the watermark is the caller's. `connection` autocommits, `raw` is the driver's under it."""
        consents = [row.id for row in rows if row.kind == outbox.CONSENTS]
        refusals = [row.id for row in rows if row.kind == outbox.REFUSALS]
        registry = 0
        if not head.has_blob or any(row.kind == outbox.REGISTRY for row in rows):
            previous, there = await self._writer.published(head.registry)
            # One view of all its tables: another import may commit between two of the queries.
            async with raw.transaction(isolation="repeatable_read", readonly=True):
                made = await publication(connection, previous, there)
            await self._writer.publish_registry(made)
            registry = made.version
        entries = 0
        async with raw.transaction():
            if consents:
                async for held in self._chunks(projected.changed_consents(raw, consents)):
                    await self._writer.change(head, _consents(head, held))
                    entries += len(held)
            if refusals:
                purposes = await projected.purpose_numbers(connection)
                async for declined in self._chunks(projected.changed_refusals(raw, refusals)):
                    hashes = {row.callee_hash for row in declined if refusal_category(row, purposes) is None}
                    scoped = await projected.scoped_refusals(raw, list(hashes)) if hashes else []
                    changes = [*_refusals(head, declined, purposes), *_scoped(head, hashes, scoped)]
                    await self._writer.change(head, changes)
                    entries += len(declined)
        return Applied(entries, registry)

    async def _chunks(self, rows: AsyncIterator[R]) -> AsyncIterator[list[R]]:
        """Those of this shard."""
        chunk: list[R] = []
        places = self._places
        async for row in rows:
            if not places or int.from_bytes(row.callee_hash, "big") >> PLACE_SHIFT in places:
                chunk.append(row)
            if len(chunk) >= CHUNK:
                yield chunk
                chunk = []
        if chunk:
            yield chunk


def _consents(head: Head, rows: list[ConsentRow]) -> list[Change]:
    # A bulk import wrote its rows in hash order, and they come so: many share a bucket, and one command.
    held: dict[int, list[bytes]] = {}
    void: dict[int, list[bytes]] = {}
    for row in rows:
        bucket = head.names.bucket_of(row.callee_hash)
        if row.void:
            void.setdefault(bucket, []).append(consent_field(row))
        else:
            # Never the marker: a bucket that was lost must stay unbelievable until it is whole again.
            held.setdefault(bucket, []).extend((consent_field(row), consent_value(row)))
    changes: list[Change] = []
    for name, found in ((b"HDEL", void), (b"HSET", held)):
        changes += [(bucket, (name, head.names.consents(bucket), *words)) for bucket, words in found.items()]
    return changes


def _refusals(head: Head, rows: list[RefusalRow], purposes: dict[str, int]) -> list[Change]:
    changes: list[Change] = []
    for row in rows:
        category = refusal_category(row, purposes)
        if category is not None:
            bucket = head.names.bucket_of(row.callee_hash)
            name, member = b"SADD" if row.in_force else b"SREM", layout.refusal_member(row.callee_hash, category)
            changes.append((bucket, (name, head.names.refusals(bucket), member)))
    return changes


def _scoped(head: Head, hashes: set[bytes], rows: list[RefusalRow]) -> list[Change]:
    by_callee: dict[bytes, list[ScopedRefusal]] = {callee_hash: [] for callee_hash in hashes}
    for row in rows:
        by_callee[row.callee_hash].append(ScopedRefusal(row.scope, row.value, row.band))
    changes: list[Change] = []
    for callee_hash, found in by_callee.items():
        bucket = head.names.bucket_of(callee_hash)
        key, field = head.names.consents(bucket), layout.scoped_field(callee_hash)
        changes.append((bucket, (b"HSET", key, field, layout.encode_scoped(found)) if found else (b"HDEL", key, field)))
    return changes
