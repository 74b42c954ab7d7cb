"""Bad days of the projection, while calls go on: what Redis or the projector lost is seen at once and mended by itself,
and nobody is let through or refused by data that is not there."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.importer import import_consents, revoke_consent
from gateway.store.redis import layout
from gateway.store.sql.dataset import read
from tests.support.database import KEYS, engine_on
from tests.support.projecting import NUMBERS, asking, filled, projecting, steady
from tests.support.redis_fixtures import redis_process, until
from tests.support.redis_server import RedisServer

__all__ = ["redis_process"]

HEADER = "callee,operator,purpose,granted_at,expires_at,evidence_uri\n"


@contextmanager
def projector_process(database_url: str, redis_url: str) -> Iterator[None]:
    """To be killed: SIGKILL is all it gets."""
    command = [sys.executable, "-m", "tests.support.projector_process", database_url, redis_url]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def load(engine: AsyncEngine, path: Path, count: int) -> list[str]:
    """That many consents in one import; their numbers."""
    numbers = [f"+86139{number:08d}" for number in range(count)]
    rows = "".join(f"{number},alpha,consultation,2024-01-01T00:00:00Z,,\n" for number in numbers)
    await asyncio.to_thread(path.write_text, HEADER + rows)
    await import_consents(engine, path, KEYS, "test")
    return numbers


async def test_flushed_during_asks(migrated_url: str, redis_process: RedisServer) -> None:
    async with filled(migrated_url, redis_process.url) as (_, projector, asker):
        traffic = asyncio.ensure_future(steady(asker, NUMBERS, lambda: projector.status.rebuilds == 2))
        await asyncio.sleep(0.05)
        redis_process.client().flushall()
        assert await traffic <= {"live", "unavailable"}
        assert await asker.until_all("live") <= {"unavailable"}


async def test_buckets_deleted_during_asks(migrated_url: str, redis_process: RedisServer) -> None:
    async with filled(migrated_url, redis_process.url) as (_, projector, asker):
        with redis_process.client() as client:
            for kind in ("c", "r"):
                lost: Any = client.keys(f"cg:*:{kind}:*")
                repairs = projector.status.repairs
                client.delete(*lost[:5])
                done = repairs + 5
                found = await steady(asker, NUMBERS, lambda done=done: projector.status.repairs == done)  # type: ignore[misc]
                assert found <= {"live", "unavailable"}
        assert await asker.until_all("live") <= {"unavailable"}
        assert projector.status.rebuilds == 1


async def test_killed_while_it_rebuilds(migrated_url: str, redis_process: RedisServer, tmp_path: Path) -> None:
    """Half an epoch lies there, and no head names it: the old one stays in force until a whole one is there."""
    async with filled(migrated_url, redis_process.url):
        pass
    async with engine_on(migrated_url, registry=False) as engine:
        numbers = await load(engine, tmp_path / "many.csv", 20_000)
        async with asking(redis_process.url) as asker:
            with redis_process.client() as client, projector_process(migrated_url, redis_process.url):
                epoch = _epoch(client)
                half = layout.consents_key(epoch + 1, 5)
                await until(lambda: client.exists(half), 20)
            with redis_process.client() as client:
                assert _epoch(client) == epoch
            async with engine.connect() as connection:
                assert (await read(connection)).epoch == epoch + 1
            assert set(await asker.consents()) == {"live"} and set(await asker.consents(numbers[:50])) == {"none"}
            async with projecting(engine, redis_process.url) as projector:
                assert await asker.until_all("live", numbers[::500]) <= {"none"}
                assert asker.lookup.epoch == epoch + 2 and projector.status.rebuilds == 1


async def test_killed_while_it_applies(migrated_url: str, redis_process: RedisServer, tmp_path: Path) -> None:
    """The watermark stands before what was applied in part: it is applied again."""
    async with filled(migrated_url, redis_process.url):
        pass
    async with engine_on(migrated_url, registry=False) as engine:
        numbers = await load(engine, tmp_path / "some.csv", 4_000)
        for number in NUMBERS[:10]:
            await revoke_consent(engine, KEYS, number, "alpha", "consultation", principal="test")
        with redis_process.client() as client:
            mark, held = _watermark(client), _consents(client)
            with projector_process(migrated_url, redis_process.url):
                await until(lambda: _consents(client) > held, 20)
            async with asking(redis_process.url) as asker, projecting(engine, redis_process.url) as projector:
                assert await asker.until_all("live", numbers[::100]) <= {"none"}
                await asker.until_all("revoked", NUMBERS[:10])
                assert projector.status.rebuilds == 0 and _watermark(client) > mark


def _epoch(client: Any) -> int:
    return int(client.hget(layout.HEAD_KEY, layout.HEAD_EPOCH))


def _watermark(client: Any) -> tuple[int, int]:
    return layout.decode_watermark(client.get(layout.watermark_key(_epoch(client), "0")))


def _consents(client: Any) -> int:
    return sum(client.hlen(key) for key in client.keys("cg:*:c:*"))
