"""The projector where a server, or another projector, goes away and comes back."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from gateway.control.projector import Projector
from gateway.store.embedded.postgres import EmbeddedPostgres
from gateway.store.embedded.redis import EmbeddedRedis
from gateway.store.sql.engine import make_engine
from tests.support.database import ALICE, KEYS, engine_on
from tests.support.projecting import projecting
from tests.support.redis_view import View, grant, revoke, until


async def test_two_projectors_one_holds_the_lock(migrated_url: str, redis_url: str, view: View) -> None:
    async with engine_on(migrated_url) as engine:
        second, stop = Projector(engine, redis_url, KEYS), asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            async with projecting(engine, redis_url) as first:
                tasks.create_task(second.run(stop))
                await until(lambda: second.status.in_step)
                assert (first.status.holds_lock, second.status.holds_lock) == (True, False)
                await grant(engine)
                await until(lambda: view.is_consent(ALICE, "live"))
                assert second.status.applied == 0
            await until(lambda: second.status.holds_lock)
            await revoke(engine)
            await until(lambda: view.is_consent(ALICE, "revoked"))
            assert second.status.rebuilds == 0
            stop.set()


async def test_a_projector_that_was_replaced_cannot_write(migrated_url: str, redis_url: str, view: View) -> None:
    async with engine_on(migrated_url) as engine, projecting(engine, redis_url) as projector:
        await view.client.set("cg:projector", "somebody else")
        await grant(engine)
        await until(lambda: view.is_consent(ALICE, "live"))
        # It noticed, took the lock anew, and put its own token back.
        assert projector.status.failures >= 1
        assert await view.client.get("cg:projector") != b"somebody else"


async def test_redis_stopped_and_away(migrated_url: str, redis_server: EmbeddedRedis, view: View) -> None:
    async with engine_on(migrated_url) as engine, projecting(engine, redis_server.url) as projector:
        await grant(engine)
        await until(lambda: view.is_consent(ALICE, "live"))
        redis_server.stop()
        await until(lambda: projector.status.trouble)
        await revoke(engine)
        assert projector.status.lag_seconds > 0.0
        redis_server.start()
        await until(lambda: view.is_consent(ALICE, "revoked"))
        os.kill(redis_server.pid, signal.SIGSTOP)
        await grant(engine)
        os.kill(redis_server.pid, signal.SIGCONT)
        await until(lambda: view.is_consent(ALICE, "live"))


async def test_postgres_restarted(tmp_path: Path, redis_url: str, view: View) -> None:
    from gateway.store.sql.migrate import migrate
    from tests.support.database import import_example_registry

    server = EmbeddedPostgres(tmp_path, durable=False)
    server.start()
    try:
        await migrate(server.url)
        engine = make_engine(server.url)
        await import_example_registry(engine)
        async with projecting(engine, redis_url) as projector:
            server.stop()
            await until(lambda: projector.status.trouble)
            server.start()
            await grant(engine)
            await until(lambda: view.is_consent(ALICE, "live"))
            assert projector.status.rebuilds == 1
        await engine.dispose()
    finally:
        server.stop()


async def test_the_lag_rises_while_redis_hangs(migrated_url: str, redis_server: EmbeddedRedis) -> None:
    async with engine_on(migrated_url) as engine, projecting(engine, redis_server.url) as projector:
        assert projector.status.lag_seconds == 0.0
        os.kill(redis_server.pid, signal.SIGSTOP)
        try:
            await until(lambda: projector.status.lag_seconds > 1.2)
            assert projector.status.in_step  # nothing has failed: it only waits
        finally:
            os.kill(redis_server.pid, signal.SIGCONT)
        await until(lambda: projector.status.lag_seconds == 0.0)
