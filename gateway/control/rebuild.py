"""The projection made anew: the whole data set under a new epoch, one shard of it, or one bucket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.control.publishing import Publication, publication
from gateway.control.redis_writer import MAX_WORDS, Change, Command, Head, RedisWriter
from gateway.store.ports import ScopedRefusal
from gateway.store.redis import layout
from gateway.store.redis.names import PLACES, Names, choose_cluster_buckets, place_buckets, place_of
from gateway.store.redis.slots import ranges_of
from gateway.store.sql import dataset, outbox, projected
from gateway.store.sql.engine import driver
from gateway.store.sql.projected import ConsentRow, RefusalRow

FLUSH_FIELDS = 4_000
"""Fields sent to Redis in one pipeline while rebuilding."""
MAX_ROW = (1 << 63) - 1
MAX_AHEAD = 100_000
"""Rows remembered as projected while an older transaction is still open; further ones are applied once more."""

R = TypeVar("R", ConsentRow, RefusalRow)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild read. `entries`: the bucket count was chosen by; `ahead`: ids of outbox rows that lie behind the
    watermark it wrote and are in the data nevertheless; `failed`: shards that could not be written, and why."""

    entries: int
    ahead: frozenset[int]
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _View:
    """The database at one moment. `oldest`: transaction ids below it were all in it."""

    oldest: int
    ahead: frozenset[int]
    registry: Publication


async def rebuild(
    engine: AsyncEngine, writers: Sequence[RedisWriter], old_epoch: int, compact: int = layout.COMPACT_ENTRIES
) -> Rebuilt:
    """Project everything under a new epoch and switch the heads to it, one after the other: a callee's facts come from
    one shard, so no question falls between two epochs.

    `old_epoch`: the latest one any shard names now, 0 for none. `compact`: what the servers' compact encodings take.
    All is read in one snapshot of the database; what commits after it lies behind the watermark that is written. A
    shard that cannot be written is left behind, under an epoch that is no longer in force. Raises FenceLost where
    another projector has taken over meanwhile, RedisError or OSError where no shard could be written.
    """
    clustered = bool(writers[0].keys.tag)
    async with engine.begin() as connection:
        epoch = await dataset.next_epoch(connection, old_epoch)
    async with engine.connect() as connection:
        raw, view = await _view(connection)
        count = await projected.entries(raw)
        buckets = (choose_cluster_buckets if clustered else layout.choose_buckets)(count, compact)
        names = Names(epoch, buckets, clustered)
        sinks = [_Sink(writer) for writer in writers]
        await _write_buckets(raw, sinks, names, view.registry.purposes)
    for sink in sinks:
        await sink.do(sink.writer.publish_registry(view.registry))
    failed = tuple(f"{sink.writer.shard}: {sink.failure}" for sink in sinks if sink.failure is not None)
    if len(failed) == len(sinks) and sinks[0].failure is not None:
        raise sinks[0].failure
    async with engine.begin() as connection:
        await dataset.write_buckets(connection, epoch, buckets)
    for sink in sinks:
        await sink.do(_switch(sink.writer, view, names))
    return Rebuilt(count, view.ahead, failed)


async def rebuild_shard(engine: AsyncEngine, writer: RedisWriter, names: Names) -> Rebuilt:
    """Write one shard of a cluster anew, under the epoch in force, while the others stay as they are.

    Its head goes first, so nobody believes it before it is whole. Raises FenceLost."""
    await writer.finish(None, [(b"UNLINK", writer.keys.head)])
    async with engine.connect() as connection:
        raw, view = await _view(connection)
        for first, last in ranges_of(writer.shard.places):
            await _write_range(raw, writer, names, (first, last), view.registry.purposes)
    await writer.publish_registry(view.registry)
    await _switch(writer, view, names)
    return Rebuilt(-1, view.ahead)


async def repair_bucket(raw: Any, writer: RedisWriter, head: Head, bucket: int, purposes: dict[str, int]) -> None:
    """Write one bucket anew, in one step. `raw`: asyncpg connection inside a transaction."""
    low, high = bucket_range(bucket, head.buckets)
    consents = [row async for row in projected.consents_between(raw, low, high)]
    refusals = [row async for row in projected.refusals_between(raw, low, high)]
    commands = bucket_commands(head.names, bucket, consents, refusals, purposes)
    await writer.change(head, [(bucket, command) for command in commands])


async def gain_places(raw: Any, writer: RedisWriter, head: Head, purposes: dict[str, int]) -> int:
    """Write the buckets of places that the cluster has moved to this shard since its head was written: they may lack
    what was changed meanwhile. How many. `raw`: asyncpg connection inside a transaction."""
    gained = [place for place in writer.shard.places if place not in head.places]
    buckets = place_buckets(tuple(gained), head.buckets)
    for bucket in buckets:
        await repair_bucket(raw, writer, head, bucket, purposes)
    return len(buckets)


def bucket_range(bucket: int, buckets: int) -> tuple[bytes, bytes | None]:
    """Hashes of a bucket (layout.bucket_of): low <= hash < high; high None for the last bucket."""
    low = -(-(bucket << 32) // buckets)
    high = -(-((bucket + 1) << 32) // buckets)
    return low.to_bytes(4, "big"), None if high >> 32 else high.to_bytes(4, "big")


def bucket_commands(
    names: Names, bucket: int, consents: list[ConsentRow], refusals: list[RefusalRow], purposes: dict[str, int]
) -> list[Command]:
    """Commands that make a bucket hold exactly these rows, markers included."""
    consents_key, refusals_key = names.consents(bucket), names.refusals(bucket)
    held = [layout.MARKER_FIELD, layout.marker_value(names.epoch)]
    for row in consents:
        held += (consent_field(row), consent_value(row))
    members = [layout.marker_member(names.epoch)]
    scoped: dict[bytes, list[ScopedRefusal]] = {}
    for declined in refusals:
        if declined.in_force:
            category = refusal_category(declined, purposes)
            if category is None:
                refusal = ScopedRefusal(declined.scope, declined.value, declined.band)
                scoped.setdefault(declined.callee_hash, []).append(refusal)
            else:
                members.append(layout.refusal_member(declined.callee_hash, category))
    for callee_hash, found in scoped.items():
        held += (layout.scoped_field(callee_hash), layout.encode_scoped(found))
    # The last part has the marker: where a reader could come between two, the key is not whole before it.
    return [
        (b"UNLINK", consents_key),
        (b"UNLINK", refusals_key),
        *[(b"HSET", consents_key, *held[at : at + MAX_WORDS]) for at in _parts(len(held))],
        *[(b"SADD", refusals_key, *members[at : at + MAX_WORDS]) for at in _parts(len(members))],
    ]


def _parts(words: int) -> list[int]:
    return list(range(0, words, MAX_WORDS))[::-1]


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


async def _view(connection: AsyncConnection) -> tuple[Any, _View]:
    """Begin a snapshot of the database; the driver's connection under it, and what it says."""
    await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
    oldest = await outbox.horizon(connection)
    raw = await driver(connection)
    ahead = await outbox.rows_after(raw, oldest - 1, MAX_ROW, MAX_AHEAD)
    ids = frozenset(row.id for row in ahead)
    return raw, _View(oldest, ids, await publication(connection))


async def _switch(writer: RedisWriter, view: _View, names: Names) -> None:
    watermark = layout.encode_watermark(view.oldest - 1, MAX_ROW)
    commands: list[Command] = [
        (b"SET", writer.keys.watermark(names.epoch), watermark),
        writer.head_fields(view.registry.version, names),
    ]
    await writer.finish(None, commands)


class _Sink:
    """What goes to one shard, in pipelines. After its first failure nothing more does."""

    def __init__(self, writer: RedisWriter) -> None:
        self.writer = writer
        self.failure: RedisError | OSError | None = None
        self._commands: list[Command] = []
        self._fields = 0

    async def add(self, commands: list[Command], fields: int) -> None:
        if self.failure is None:
            self._commands += commands
            self._fields += fields
            if self._fields >= FLUSH_FIELDS:
                await self.flush()

    async def flush(self) -> None:
        commands, self._commands, self._fields = self._commands, [], 0
        if commands:
            await self.do(self.writer.plain(commands))

    async def do(self, work: Coroutine[Any, Any, None]) -> None:
        """Await it, or drop it."""
        if self.failure is not None:
            work.close()
            return
        try:
            await work
        except (RedisError, OSError) as error:
            self.failure = error


async def _write_buckets(raw: Any, sinks: Sequence[_Sink], names: Names, purposes: dict[str, int]) -> None:
    """All rows, in hash order and so bucket by bucket, each to the shard that holds it."""
    holders: dict[int, _Sink] = {}
    for sink in sinks:
        holders.update(dict.fromkeys(sink.writer.shard.places or range(PLACES), sink))
    consents = _ByBucket(projected.consents_between(raw, b"", None), names.buckets)
    refusals = _ByBucket(projected.refusals_between(raw, b"", None), names.buckets)
    for bucket in range(names.buckets):
        held, declined = await consents.take(bucket), await refusals.take(bucket)
        holder = holders.get(place_of(bucket, names.buckets))
        if holder is not None:
            commands = bucket_commands(names, bucket, held, declined, purposes)
            await holder.add(commands, 4 + len(held) + len(declined))
    for sink in sinks:
        await sink.flush()


async def _write_range(
    raw: Any, writer: RedisWriter, names: Names, places: tuple[int, int], purposes: dict[str, int]
) -> None:
    """The buckets of a run of places (first, last), fenced: they have the names that are in force."""
    buckets = place_buckets(tuple(range(places[0], places[1] + 1)), names.buckets)
    low, high = bucket_range(buckets[0], names.buckets)[0], bucket_range(buckets[-1], names.buckets)[1]
    consents = _ByBucket(projected.consents_between(raw, low, high), names.buckets)
    refusals = _ByBucket(projected.refusals_between(raw, low, high), names.buckets)
    changes: list[Change] = []
    fields = 0
    for bucket in buckets:
        held, declined = await consents.take(bucket), await refusals.take(bucket)
        changes += [(bucket, command) for command in bucket_commands(names, bucket, held, declined, purposes)]
        fields += 4 + len(held) + len(declined)
        if fields >= FLUSH_FIELDS:
            await writer.change(names, changes)
            changes, fields = [], 0
    await writer.change(names, changes)


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
