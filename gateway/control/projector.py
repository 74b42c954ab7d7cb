"""Keeps Redis in step with PostgreSQL: one projector at a time, by an advisory lock.

Theory of operation. A cycle, when a change announces itself (NOTIFY) or a look says so: read the head and the
watermark from Redis and the outbox rows behind it; bring what those rows changed to what the tables say
now; move the watermark. Between cycles it looks, four times a second at Redis and once at PostgreSQL, with
one small question each, whether both are as the last cycle left them. Applying a row twice does no harm, so
any watermark a Redis comes back with is good. Where Redis cannot be believed (no head, another epoch, no
watermark, one from before what the outbox still holds) everything is rebuilt under a new epoch and the head
is switched at the end. Besides, every bucket's markers are looked at in turn, and a bucket that lost them is
written anew.

The watermark moves only over rows of transactions below every one that may still commit: ids and even
commit order alone would skip late ones. Rows above that are applied as soon as they are seen, without
moving it (a revoke does not wait for the end of a bulk import); they are remembered until the watermark has
passed them. We depart from "reads only rows below" in DESIGN §6 there: what is applied is state, not an
event, so order between such rows does not matter."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import replace
from itertools import count
from typing import Any

from asyncpg import InterfaceError, InternalClientError, PostgresError
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.control.apply import Applier
from gateway.control.glance import Glance
from gateway.control.importer.subscriber import Subscribers
from gateway.control.rebuild import rebuild
from gateway.control.redis_writer import SHARD, FenceLost, Head, RedisWriter
from gateway.control.status import ProjectorStatus
from gateway.control.sweep import Sweeper
from gateway.keys import Keys
from gateway.store.ports import Conflict, StoreError
from gateway.store.redis import layout
from gateway.store.sql import dataset, outbox
from gateway.store.sql.engine import driver
from gateway.store.sql.outbox import OutboxRow

LOCK = 0x63677072
"""Advisory lock of the projection (`cgpr`)."""
LOOK_S = 0.25
"""Between two looks at Redis."""
DATABASE_LOOKS = 4
"""PostgreSQL is asked at every so many-th of them: a notification that was lost costs a second."""
STANDBY_S = 1.0
"""How often a projector that does not hold the lock tries for it."""
FIRST_PAUSE_S = 0.1
"""Pause after a first failure; it doubles with each one that follows."""
BACKOFF_S = 2.0
"""Longest pause after a failure."""
STABLE_S = 5.0
"""After having worked this long a failure is answered with the shortest pause again."""
MAX_ROWS = 500
"""Outbox rows of one cycle."""
HEARTBEAT_S = LOOK_S * DATABASE_LOOKS
"""How often the head's `updated` moves where nothing changes."""
_FAILURES = (
    StoreError, SQLAlchemyError, PostgresError, InterfaceError, InternalClientError, RedisError, FenceLost, OSError,
    TimeoutError,
)  # fmt: skip

_log = logging.getLogger("callgate.projector")


class Projector:
    """One of any number; the one that holds the lock works."""

    def __init__(self, engine: AsyncEngine, redis_url: str, keys: Keys, *, patient: AsyncEngine | None = None) -> None:
        """`patient`: an engine for rebuilding and trimming, whose statements may take minutes; None: the same."""
        self.status = ProjectorStatus(in_step_at=time.time())
        self._engine, self._patient = engine, patient or engine
        self._key_check = Subscribers(keys).check
        self._writer = RedisWriter(redis_url, self._key_check.hex().encode())
        self._applier = Applier(self._writer)
        self._sweeper = Sweeper(self._patient, self._writer)
        self._redis_url = redis_url
        self.cycles = 0
        self._wake = asyncio.Event()
        self._ahead: set[int] = set()
        self._entries = -1

    async def run(self, stop: asyncio.Event) -> None:
        """Project until `stop`; failures are logged, counted and tried again. Raises Conflict where the
        stored numbers were hashed with another key than ours: nothing would be found under the hashes the
        workers ask for."""
        pause = FIRST_PAUSE_S
        woken = asyncio.ensure_future(stop.wait())
        woken.add_done_callback(self._on_notify)
        try:
            while not stop.is_set():
                began = time.monotonic()
                try:
                    await self._hold(stop)
                    await self._look()
                    wait = STANDBY_S
                except Conflict:
                    raise
                except _FAILURES as error:
                    self._failed(error)
                    wait = pause = FIRST_PAUSE_S if time.monotonic() - began > STABLE_S else min(2 * pause, BACKOFF_S)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), wait)
        finally:
            woken.cancel()
            self.status.holds_lock = False
            await self._writer.close()

    async def _hold(self, stop: asyncio.Event) -> None:
        """Take the lock and work; return at once where another has it."""
        async with self._engine.connect() as plain:
            connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
            got = await connection.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": LOCK})
            if not got.scalar_one():
                return
            raw = await driver(connection)
            await raw.add_listener(outbox.CHANNEL, self._on_notify)
            glance = Glance(self._redis_url, self._writer.token)
            try:
                await self._writer.take_fence()
                self.status.holds_lock = True
                self._ahead.clear()
                self._entries = -1
                _log.info("projecting")
                while not stop.is_set():
                    head = await self._cycle(connection, raw)
                    self.status.last_error = ""
                    if head is not None:
                        await self._rest(connection, raw, head, glance)
            finally:
                await glance.close()
                self.status.holds_lock = False
                self.status.in_step = False
                with suppress(Exception):
                    await raw.remove_listener(outbox.CHANNEL, self._on_notify)
                    await connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})

    async def _cycle(self, connection: AsyncConnection, raw: Any) -> Head | None:
        """Bring Redis in step; the head as it is then, None where there may be more to do at once."""
        self.cycles += 1
        self._wake.clear()
        head = await self._writer.read_head()
        look = await dataset.look(raw, *(head.watermark if head and head.watermark else (0, 0)))
        if look.data.key_check not in (None, self._key_check):
            raise Conflict("keys: the stored numbers were hashed with another pseudonym key: put back its key file")
        why = self._distrust(head, look)
        if why or head is None or head.watermark is None:
            await self._rebuild(head, why)
            return None
        if not head.ours:
            raise FenceLost("another projector took over, or Redis was exchanged")
        self.status.epoch, self.status.registry = head.epoch, head.registry
        limit = MAX_ROWS + len(self._ahead)
        rows = await outbox.rows_after(raw, *head.watermark, limit) if look.behind else []
        fresh = [row for row in rows if row.id not in self._ahead]
        if fresh or not head.has_blob or (rows and rows[0].settled):
            self.status.in_step = False
            if await self._too_much(raw, [row.id for row in fresh]):
                await self._rebuild(head, "more has changed than stays")
                return None
            head = await self._apply(connection, raw, head, rows, fresh)
        elif time.time() - head.updated >= HEARTBEAT_S or not head.key_check:
            fields = self._writer.head_fields(head.registry, head.epoch, head.buckets)
            await self._writer.guarded(head, lambda pipe: pipe.hset(layout.HEAD_KEY, mapping=fields))
            head = replace(head, key_check=self._writer.key_check)
        if len(fresh) >= MAX_ROWS:
            return None
        self.status.in_step, self.status.in_step_at = True, time.time()
        return head

    async def _rest(self, connection: AsyncConnection, raw: Any, head: Head, glance: Glance) -> None:
        """Until there is something to do, or may be."""
        for turn in count(1):
            if await self._woken(LOOK_S):
                return
            full = turn % DATABASE_LOOKS == 0
            if not await glance.same(head, beat=full):
                return
            self.status.repairs += await self._sweeper.step(connection, raw, head, glance)
            if self._ahead:  # nobody tells when the transaction ends that holds the watermark back
                return
            if full:
                look = await dataset.look(raw, *(head.watermark or (0, 0)))
                if look.behind or self._distrust(head, look) or look.data.key_check not in (None, self._key_check):
                    return
                self.status.in_step_at = time.time()

    def _distrust(self, head: Head | None, look: dataset.Look) -> str:
        """Why Redis cannot be believed; empty: it can."""
        data = look.data
        if head is None:
            return "Redis holds no data set"
        if (head.epoch, head.buckets) != (data.epoch, data.buckets):
            return f"Redis holds epoch {head.epoch}, not {data.epoch}"
        if head.key_check not in (b"", self._writer.key_check):
            return "Redis holds a data set made with another pseudonym key"
        if head.watermark is None:
            return "the watermark is missing"
        if head.watermark[0] < data.outbox_floor:
            return "Redis is older than the outbox"
        if head.watermark[0] >= look.next_xid:
            return "Redis is ahead of the database: another database, or one restored from a copy"
        return ""

    async def _rebuild(self, head: Head | None, why: str) -> None:
        _log.warning("rebuilding the projection: %s", why)
        self.status.in_step = False
        began = time.monotonic()
        await self._writer.take_fence()
        built = await rebuild(self._patient, self._writer, head.epoch if head else 0)
        self._entries, self._ahead = built.entries, set(built.ahead)
        self.status.rebuilds += 1
        self._sweeper.switched()
        _log.info("rebuilt the projection: %d entries in %.2f s", self._entries, time.monotonic() - began)

    async def _too_much(self, raw: Any, changes: list[int]) -> bool:
        """Whether so much changed that a rebuild is better: it takes effect at once, with a fitting bucket
        count."""
        if self._entries < 0:
            self._entries = int(
                await raw.fetchval("SELECT greatest(reltuples, 0) FROM pg_class WHERE relname = 'consents'")
            )
        limit = max(self._entries, layout.MIN_BUCKETS * layout.ENTRIES_PER_BUCKET)
        return await self._applier.count(raw, changes, limit) >= limit

    async def _apply(
        self, connection: AsyncConnection, raw: Any, head: Head, rows: list[OutboxRow], fresh: list[OutboxRow]
    ) -> Head:
        """Apply `fresh`, move the watermark over the settled ones of `rows`; the head as it is then."""
        changed = await self._applier.apply(connection, raw, head, fresh)
        self._entries += changed.entries
        watermark = head.watermark
        settled = 0
        for row in rows:
            if not row.settled:
                break
            watermark, settled = (row.xid, row.id), settled + 1
        self._ahead = {row.id for row in rows[settled:]}
        registry = changed.registry or head.registry

        def finish(pipe: Any) -> None:
            if watermark is not None and watermark != head.watermark:
                pipe.set(layout.watermark_key(head.epoch, SHARD), layout.encode_watermark(*watermark))
            pipe.hset(layout.HEAD_KEY, mapping=self._writer.head_fields(registry, head.epoch, head.buckets))

        await self._writer.guarded(head, finish)
        self.status.applied += len(fresh)
        self.status.registry = registry
        if changed.registry:
            self._sweeper.switched()
        return replace(head, registry=registry, watermark=watermark, has_blob=True, key_check=self._writer.key_check)

    async def _look(self) -> None:
        """Without the lock, the lag is told by how long ago the working projector wrote the head."""
        head = await self._writer.read_head()
        if head is not None:
            self.status.epoch, self.status.registry = head.epoch, head.registry
            now = time.time()
            self.status.in_step = now - head.updated <= 3 * HEARTBEAT_S
            self.status.in_step_at = now if self.status.in_step else float(head.updated)

    def _failed(self, error: BaseException) -> None:
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        self.status.failures += 1
        self.status.in_step = False
        if said != self.status.last_error:
            _log.warning("projection stopped, trying again: %s", said)
        self.status.last_error = said

    async def _woken(self, within_s: float) -> bool:
        """Wait for a notification; whether one came."""
        try:
            async with asyncio.timeout(within_s):
                return await self._wake.wait()
        except TimeoutError:
            return False

    def _on_notify(self, *_: object) -> None:
        self._wake.set()
