"""Channels and calls per second of trunks, over workers, on real servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.store.ports import TrunkLimit
from gateway.store.redis.channels import SETUP_S, Channels, lease_key
from gateway.store.redis.client import RedisLink
from tests.support.redis_fixtures import linked, redis_process, until
from tests.support.redis_server import RedisServer

__all__ = ["redis_process"]

NOW = 1_700_000_000.0
LINES = TrunkLimit("cc-alpha", 10, 0)
PACE = TrunkLimit("carrier", 0, 3)


@asynccontextmanager
async def worker(server: RedisServer, deadline_s: float = 5.0) -> AsyncIterator[tuple[Channels, RedisLink]]:
    async with linked(server.url) as link:
        channels = Channels(lambda place: link, deadline_s, asyncio.get_running_loop())
        yield channels, link
        channels.close()


async def take(channels: Channels, call: int, *limits: TrunkLimit, at: float = NOW) -> str:
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    channels.take(f"{call:032x}", limits, at, told.set_result)
    return await told


async def test_of_fifty_at_once_over_two_workers_ten_get_a_channel(redis_process: RedisServer) -> None:
    async with worker(redis_process) as (one, _), worker(redis_process) as (two, _):
        words = await asyncio.gather(*[take((one, two)[n % 2], n, LINES) for n in range(50)])
        assert words.count("") == 10
        assert set(words) == {"", "trunk cc-alpha: all 10 channels taken"}
        assert one.used.get("cc-alpha", 0) + two.used.get("cc-alpha", 0) == 10
        free = words.index("")
        assert await take((one, two)[free % 2], free, LINES) == "", "the same call again"
        (one, two)[free % 2].release(f"{free:032x}")
        assert await take(two, 99, LINES) == ""
        assert await take(two, 98, LINES)


async def test_a_second_slides(redis_process: RedisServer) -> None:
    async with worker(redis_process) as (one, _):
        times = (0, 0.5, 0.9, 0.95, 0.999, 1.0, 1.2, 1.5)
        found = [await take(one, n, PACE, at=NOW + at) for n, at in enumerate(times)]
        refused = "trunk carrier: 3 calls in the last second"
        assert found == ["", "", "", refused, refused, "", refused, ""]


async def test_a_call_takes_both_or_none(redis_process: RedisServer) -> None:
    async with worker(redis_process) as (one, _):
        small = TrunkLimit("small", 1, 0)
        assert await take(one, 1, LINES, small) == ""
        assert await take(one, 2, LINES, small) == "trunk small: all 1 channels taken"
        with redis_process.client() as client:
            assert client.zcard(lease_key("cc-alpha")) == 1


async def test_leases_end_by_themselves_and_with_their_call(redis_process: RedisServer) -> None:
    async with worker(redis_process) as (one, link):
        small = TrunkLimit("small", 1, 0)
        assert await take(one, 1, small) == ""
        assert await take(one, 2, small, at=NOW + SETUP_S - 1)
        one.keep(f"{1:032x}", NOW + 4_000)
        assert await take(one, 3, small, at=NOW + 3_999)
        assert await take(one, 4, small, at=NOW + 4_000) == ""
        async with worker(redis_process) as (two, _):
            two.limited = ("small",)
            two.release(f"{4:032x}")  # of a worker that is no more
            assert await take(two, 5, small, at=NOW + 4_001) == ""
        assert link.connected


async def test_while_redis_is_away_a_worker_keeps_to_the_limit_alone(redis_process: RedisServer) -> None:
    async with worker(redis_process, 0.05) as (one, link):
        small = TrunkLimit("small", 2, 0)
        assert await take(one, 1, small) == ""
        redis_process.kill()
        await until(lambda: not link.connected)
        assert [await take(one, n, small) for n in (2, 3)] == ["", "trunk small: all 2 channels taken"]
        assert one.alone == 1
        redis_process.start()
        with redis_process.client() as client:
            await until(lambda: client.zscore(lease_key("small"), f"{2:032x}"))
