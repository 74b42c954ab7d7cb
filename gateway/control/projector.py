"""Keeps Redis in step with PostgreSQL: one projector at a time, by an advisory lock.

Theory of operation. Whoever holds the lock has a `ShardProjector` for every shard of Redis (a single server is one, a
cluster has one for each master), each with its own head, watermark and fence: a master that is away, emptied or behind
is that shard's affair alone. What concerns all of them (a new epoch) they decide in one `Plan`.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.failures import FAILURES, Pause
from gateway.control.plan import Plan
from gateway.control.redis_writer import RedisWriter
from gateway.control.shard_projector import HEARTBEAT_S, ShardProjector
from gateway.control.shards import Shard, Shards
from gateway.control.status import ProjectorStatus, ShardStatus
from gateway.keys import Keys
from gateway.store.ports import Conflict, Unavailable
from gateway.store.sql import outbox
from gateway.store.sql.engine import driver

LOCK = 0x63677072
"""Advisory lock of the projection (`cgpr`)."""
CANCEL_S = 0.5
"""For a shard's task to end."""
STANDBY_S = 1.0
"""How often a projector that does not hold the lock tries for it."""

_log = logging.getLogger("callgate.projector")


class Projector:
    """One of any number; the one that holds the lock works."""

    def __init__(
        self, engine: AsyncEngine, redis_url: str, keys: Keys, *, patient: AsyncEngine | None = None,
        reread: Callable[[], Keys] | None = None,
    ) -> None:  # fmt: skip
        """`reread`: the keys as they are now, for when one is in force that is not among `keys`; None: they never
        change. `patient`: an engine for rebuilding and trimming, whose statements may take minutes; None: the same.
        `engine` needs a connection for each shard and one more. Raises BadAddress."""
        self.status = ProjectorStatus()
        self._engine, self._patient = engine, patient or engine
        self._shards = Shards(redis_url)
        token = secrets.token_hex(16).encode()
        self._plan = Plan(self._patient, keys, reread or (lambda: keys), token, self.status, self._shards.clustered)
        self._running: dict[Shard, _Running] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Project until `stop`; failures are logged, counted and tried again. Raises Conflict where the
        stored numbers were hashed with another key than ours: nothing would be found under the hashes the
        workers ask for."""
        pause = Pause()
        async with self._shards:
            while not stop.is_set():
                wait = STANDBY_S
                try:
                    await self._hold(stop)
                    if not stop.is_set():
                        await self._look()
                except Conflict:
                    raise
                except FAILURES as error:
                    self._failed(error)
                    wait = pause.after_failure()
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), wait)

    async def _hold(self, stop: asyncio.Event) -> None:
        """Take the lock and work; return at once where another has it."""
        async with self._engine.connect() as plain:
            connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
            got = await connection.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": LOCK})
            if not got.scalar_one():
                return
            raw = await driver(connection)
            await raw.add_listener(outbox.CHANNEL, self._on_notify)
            try:
                self.status.holds_lock = True
                self.status.last_error = ""
                self._plan.forget()
                _log.info("projecting")
                await self._project(raw, stop)
            finally:
                self.status.holds_lock = False
                with suppress(Exception):
                    await raw.remove_listener(outbox.CHANNEL, self._on_notify)
                    await connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})

    async def _project(self, raw: Any, stop: asyncio.Event) -> None:
        """Until `stop`, or the connection `raw` that holds the lock is lost: one task for each shard there is."""
        changed = self._shards.changed
        lost = asyncio.Event()

        def ended(*_: object) -> None:
            lost.set()
            changed.set()

        raw.add_termination_listener(ended)
        stopping = asyncio.ensure_future(stop.wait())
        stopping.add_done_callback(lambda _: changed.set())
        try:
            while not stop.is_set():
                changed.clear()
                if lost.is_set() or raw.is_closed():
                    raise Unavailable("PostgreSQL closed the connection that holds the projector's lock")
                for running in self._running.values():
                    if running.task.done():
                        running.task.result()  # Conflict: what a shard cannot mend by trying again
                await self._follow()
                await changed.wait()
        finally:
            stopping.cancel()
            raw.remove_termination_listener(ended)
            await self._end(list(self._running))

    async def _follow(self) -> None:
        """Have a task for each shard there is now, and for no other."""
        now = self._shards.now()
        await self._end([shard for shard in self._running if shard not in now])
        for shard in now:
            if shard not in self._running:
                projector = ShardProjector(shard, self._engine, self._patient, self._plan, self.status)
                task = asyncio.ensure_future(projector.run())
                task.add_done_callback(lambda _: self._shards.changed.set())
                self._running[shard] = _Running(projector, task)
        self._plan.shards = [running.projector for running in self._running.values()]
        self.status.shards = {str(shard): running.projector.status for shard, running in self._running.items()}

    async def _end(self, shards: list[Shard]) -> None:
        ended = {self._running.pop(shard).task for shard in shards}
        while ended:
            for task in ended:
                task.cancel()
            # Again where it took no effect: a driver may have caught it and reported a failure instead.
            _, ended = await asyncio.wait(ended, timeout=CANCEL_S)

    async def _look(self) -> None:
        """Without the lock, the lag is told by how long ago the working projector wrote the heads."""
        found: dict[str, ShardStatus] = {}
        for shard in self._shards.now():
            writer = RedisWriter(shard, b"", b"")
            try:
                head = await writer.read_head()
            finally:
                await writer.close()
            if head is not None:
                now = time.time()
                in_step = now - head.updated <= 3 * HEARTBEAT_S
                found[str(shard)] = ShardStatus(
                    head.epoch, head.registry, in_step, now if in_step else float(head.updated)
                )
        self.status.shards = found

    def _failed(self, error: BaseException) -> None:
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        self.status.failures += 1
        if said != self.status.last_error:
            _log.warning("projection stopped, trying again: %s", said)
        self.status.last_error = said

    def _on_notify(self, *_: object) -> None:
        for running in self._running.values():
            running.projector.wake.set()


@dataclass(frozen=True, slots=True)
class _Running:
    projector: ShardProjector
    task: asyncio.Future[None]
