"""Keeps one shard of Redis in step with PostgreSQL.

Theory of operation. A cycle, when a change announces itself (NOTIFY) or a look says so: read the head and the
watermark from the shard and the outbox rows behind it; bring what those rows changed to what the tables say now; move
the watermark. Between cycles it looks, four times a second at Redis and once at PostgreSQL, with one small question
each, whether both are as the last cycle left them. Applying a row twice does no harm, so any watermark a Redis comes
back with is good. Where the shard cannot be believed (no head, another epoch, no watermark, one from before what the
outbox still holds) it is rebuilt (`plan`). Besides, every bucket's markers are looked at in turn, and a bucket that
lost them is written anew.

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

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.control.apply import Applier
from gateway.control.failures import FAILURES, Pause
from gateway.control.glance import Glance
from gateway.control.plan import Plan, distrust
from gateway.control.rebuild import Rebuilt, gain_places
from gateway.control.redis_writer import Command, FenceLost, Head, RedisWriter
from gateway.control.shards import Shard
from gateway.control.status import ProjectorStatus, ShardStatus
from gateway.control.sweep import Sweeper
from gateway.store.ports import Conflict
from gateway.store.redis import layout
from gateway.store.sql import dataset, outbox, projected
from gateway.store.sql.engine import driver
from gateway.store.sql.outbox import OutboxRow

LOOK_S = 0.25
"""Between two looks at Redis."""
DATABASE_LOOKS = 4
"""PostgreSQL is asked at every so many-th of them: a notification that was lost costs a second."""
MAX_ROWS = 500
"""Outbox rows of one cycle."""
HEARTBEAT_S = LOOK_S * DATABASE_LOOKS
"""How often the head's `updated` moves where nothing changes."""

_log = logging.getLogger("callgate.projector")


class ShardProjector:
    """Works while its projector holds the lock and the shard is there."""

    def __init__(
        self, shard: Shard, engine: AsyncEngine, patient: AsyncEngine, plan: Plan, status: ProjectorStatus
    ) -> None:
        self.shard = shard
        self.status = ShardStatus(in_step_at=time.time())
        self.wake = asyncio.Event()
        """Set when PostgreSQL has announced a change."""
        self.writer = RedisWriter(shard, plan.key_check, plan.token)
        self._engine = engine
        self._common = status
        self._plan = plan
        self._glance = Glance(shard, plan.token)
        self._applier = Applier(self.writer)
        self.sweeper = Sweeper(patient, self.writer)
        self._ahead: set[int] = set()

    async def run(self) -> None:
        """Project until cancelled; failures are logged, counted and tried again. Raises Conflict where the stored
        numbers were hashed with another key than ours."""
        pause = Pause()
        try:
            while True:
                try:
                    await self._work()
                except Conflict:
                    raise
                except FAILURES as error:
                    self._failed(error)
                    await asyncio.sleep(pause.after_failure())
        finally:
            self.status.in_step = False
            await self.writer.close()

    def rebuilt(self, built: Rebuilt) -> None:
        """The shard was written anew."""
        self._ahead = set(built.ahead)
        self.sweeper.switched()
        self.wake.set()

    async def _work(self) -> None:
        async with self._engine.connect() as plain:
            connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
            raw = await driver(connection)
            await self.writer.take_fence()
            self._ahead.clear()
            while True:
                head = await self._cycle(connection, raw)
                self.status.last_error = ""
                if head is not None:
                    await self._rest(connection, raw, head)

    async def _cycle(self, connection: AsyncConnection, raw: Any) -> Head | None:
        """Bring the shard in step; the head as it is then, None where there may be more to do at once."""
        self._common.cycles += 1
        self.wake.clear()
        head = await self.writer.read_head()
        look = await dataset.look(raw, *(head.watermark if head and head.watermark else (0, 0)))
        self._plan.follow_key(look.data.key_check)
        self.writer.key_check = self._plan.key_check
        why = distrust(head, look, self._plan.key_check)
        if why or head is None or head.watermark is None:
            self.status.in_step = False
            await self._plan.rebuild(self, raw, head, why)
            return None
        if not head.ours:
            raise FenceLost("another projector took over, or Redis was exchanged")
        self.status.epoch, self.status.registry = head.epoch, head.registry
        limit = MAX_ROWS + len(self._ahead)
        rows = await outbox.rows_after(raw, *head.watermark, limit) if look.behind else []
        fresh = [row for row in rows if row.id not in self._ahead]
        if fresh or not head.has_blob or (rows and rows[0].settled):
            self.status.in_step = False
            changed = await self._plan.changed(raw, [row.id for row in fresh], head)
            if changed:
                await self._plan.rebuild(self, raw, head, changed)
                return None
            head = await self._apply(connection, raw, head, rows, fresh)
        elif time.time() - head.updated >= HEARTBEAT_S or not head.key_check:
            await self.writer.finish(head, [self.writer.head_fields(head.registry, head.names)])
            head = replace(head, key_check=self.writer.key_check)
        if len(fresh) >= MAX_ROWS:
            return None
        if not head.places.issuperset(self.shard.places):
            await self._gain(connection, raw, head)
            return None
        self.status.in_step, self.status.in_step_at = True, time.time()
        return head

    async def _rest(self, connection: AsyncConnection, raw: Any, head: Head) -> None:
        """Until there is something to do, or may be."""
        for turn in count(1):
            if await self._woken(LOOK_S):
                return
            full = turn % DATABASE_LOOKS == 0
            if not await self._glance.same(head, beat=full):
                return
            repaired = await self.sweeper.step(connection, raw, head, self._glance)
            self._common.repairs += repaired  # read and written at once: other shards count here too
            if self._ahead:  # nobody tells when the transaction ends that holds the watermark back
                return
            if full:
                look = await dataset.look(raw, *(head.watermark or (0, 0)))
                check = look.data.key_check
                other_key = check is not None and check.hex().encode() != self._plan.key_check
                if look.behind or distrust(head, look, self._plan.key_check) or other_key:
                    return
                self.status.in_step_at = time.time()

    async def _apply(
        self, connection: AsyncConnection, raw: Any, head: Head, rows: list[OutboxRow], fresh: list[OutboxRow]
    ) -> Head:
        """Apply `fresh`, move the watermark over the settled ones of `rows`; the head as it is then."""
        changed = await self._applier.apply(connection, raw, head, fresh)
        self._plan.grown(changed.entries)
        watermark = head.watermark
        settled = 0
        for row in rows:
            if not row.settled:
                break
            watermark, settled = (row.xid, row.id), settled + 1
        self._ahead = {row.id for row in rows[settled:]}
        registry = changed.registry or head.registry
        commands: list[Command] = [self.writer.head_fields(registry, head.names, head.places)]
        if watermark is not None and watermark != head.watermark:
            commands.append((b"SET", self.writer.keys.watermark(head.epoch), layout.encode_watermark(*watermark)))
        await self.writer.finish(head, commands)
        self._common.applied += len(fresh)
        self.status.registry = registry
        if changed.registry:
            self.sweeper.switched()
        return replace(head, registry=registry, watermark=watermark, has_blob=True, key_check=self.writer.key_check)

    async def _gain(self, connection: AsyncConnection, raw: Any, head: Head) -> None:
        """Places were moved here: their buckets may be behind, and some may be missing."""
        purposes = await projected.purpose_numbers(connection)
        async with raw.transaction():
            buckets = await gain_places(raw, self.writer, head, purposes)
        await self.writer.finish(head, [self.writer.head_fields(head.registry, head.names)])
        _log.warning("redis %s: %d buckets moved here, written anew", self.shard, buckets)

    def _failed(self, error: BaseException) -> None:
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        self._common.failures += 1
        self.status.in_step = False
        if said != self.status.last_error:
            _log.warning("projection to redis %s stopped, trying again: %s", self.shard, said)
        self.status.last_error = said

    async def _woken(self, within_s: float) -> bool:
        """Wait for a notification; whether one came."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                return await self.wake.wait()
        return False
