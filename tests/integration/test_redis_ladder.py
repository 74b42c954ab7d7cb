"""Violations that close a step, on real servers: counted once, known at once, kept when Redis loses them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from gateway.gate.ladder import LiveRestrictions
from gateway.store.ports import Step, SubscriberFacts, Unavailable, Violation
from gateway.store.redis import ladder
from gateway.store.redis.address import read_deployment
from gateway.store.redis.client import RedisLink, question
from gateway.store.redis.closed import CounterStore
from gateway.store.redis.cluster import ClusterLink
from gateway.store.redis.deployment import link_to, shards_of
from gateway.store.redis.facts import head_command
from gateway.store.redis.lookup import RedisLookup
from tests.support.redis_cluster import RedisCluster
from tests.support.redis_dataset import Dataset
from tests.support.redis_fixtures import linked, redis_process, running, until
from tests.support.redis_server import RedisServer, binaries
from tests.unit.gate.test_engine import outbound

__all__ = ["redis_process"]

CALLEE = bytes.fromhex("a1b2c3d4e5f60718")
NOW = 1_700_000_000.0
NUMBER = "+8657112340001"


def violation(number: int, at: float = NOW, count: int = 3, trunk: int = 5) -> Violation:
    steps = (Step("number", NUMBER, ((count, 3600),)), Step("trunk", "cc-alpha", ((trunk, 3600), (100, 86_400))))
    return Violation(f"{number:032x}"[::-1], "consent-missing", at, steps)


class Worker:
    """Lookup, counters and memory of one worker."""

    def __init__(self, link: RedisLink, deadline_s: float) -> None:
        self.memory = LiveRestrictions()
        self.lookup = RedisLookup(link, deadline_s)
        self.lookup.set_epoch(7, 64)
        self.counters = CounterStore(
            lambda place: link, lambda: [(link, link.keys)], self.memory, deadline_s, asyncio.get_running_loop()
        )
        self.lookup.restrictions = self.counters

    async def violated(self, one: Violation) -> None:
        done: list[bool] = []
        self.counters.violated(one, lambda: done.append(True))
        await until(lambda: done)
        await asyncio.sleep(0)
        assert done == [True]

    async def ask(self) -> SubscriberFacts | Unavailable:
        answered: asyncio.Future[SubscriberFacts | Unavailable] = asyncio.get_running_loop().create_future()
        self.lookup.ask(CALLEE, 1, 2, NOW, answered.set_result)
        return await answered


@asynccontextmanager
async def working(server: RedisServer, deadline_s: float = 5.0) -> AsyncIterator[Worker]:
    async with linked(server.url) as link:
        worker = Worker(link, deadline_s)
        yield worker
        worker.counters.close()
        worker.lookup.close()


@pytest.fixture
def data(redis_process: RedisServer) -> Iterator[Dataset]:
    with redis_process.client() as client:
        dataset = Dataset(client, epoch=7, buckets=64)
        dataset.publish()
        dataset.grant(CALLEE, 1, 2)
        yield dataset


async def test_the_nth_closes_its_step_and_the_next_question_of_any_worker_knows(
    redis_process: RedisServer, data: Dataset
) -> None:
    async with working(redis_process) as one, working(redis_process) as two:
        for number in (1, 2, 2, 2):
            await one.violated(violation(number))
        assert not one.memory.entries, "two calls, one of them told three times"
        await two.violated(violation(3, NOW + 1))
        assert list(two.memory.entries) == [("number", NUMBER)]
        assert not one.memory.entries
        assert await one.ask() == SubscriberFacts("live")
        assert list(one.memory.entries) == [("number", NUMBER)], "known before the answer is told"
        entry = one.memory.entries["number", NUMBER]
        assert (entry.uid, entry.at, entry.rule, entry.count, entry.seconds) == (
            violation(3).decision, NOW + 1, "consent-missing", 3, 3600,
        )  # fmt: skip
        facts = outbound(number=NUMBER, trunk="cc-alpha")
        assert one.memory.of(facts) == (
            f"number {NUMBER} restricted: 3 violations in 3600 s, the last one consent-missing",
        )
        for number in (4, 5):
            await two.violated(violation(number))
        assert await one.ask() == SubscriberFacts("live")
        assert sorted(one.memory.entries) == [("number", NUMBER), ("trunk", "cc-alpha")]
        assert (two.counters.violations, two.counters.closed) == (3, 2)


async def test_a_window_slides(redis_process: RedisServer, data: Dataset) -> None:
    async with working(redis_process) as worker:
        for number, at in enumerate((0, 1, 3600, 3601)):
            await worker.violated(violation(number + 1, NOW + at))
        assert not worker.memory.entries
        await worker.violated(violation(9, NOW + 3601.5))
        assert worker.memory.entries


async def test_a_question_costs_no_more(redis_process: RedisServer, data: Dataset) -> None:
    async with working(redis_process) as worker:
        client = redis_process.client()
        await worker.ask()
        client.config_resetstat()
        for _ in range(3):
            await worker.ask()
        assert client.info("commandstats")["cmdstat_hmget"]["calls"] == 6
        for number in range(3):
            await worker.violated(violation(number))
        client.config_resetstat()
        for _ in range(3):
            await worker.ask()
        assert "cmdstat_hgetall" not in client.info("commandstats"), "memory knows: nothing more is read"


async def test_memory_follows_within_a_tenth_of_a_second(redis_process: RedisServer, data: Dataset) -> None:
    async with working(redis_process) as one, working(redis_process) as two:
        two.counters.watching = True
        two.counters.start()
        await asyncio.sleep(0.06)
        for number in range(3):
            await one.violated(violation(number))
        started = asyncio.get_running_loop().time()
        await until(lambda: two.memory.entries)
        assert asyncio.get_running_loop().time() - started < 0.1


async def test_while_redis_is_away_a_refusal_does_not_wait_and_is_counted_later(
    redis_process: RedisServer, data: Dataset
) -> None:
    async with working(redis_process, 0.05) as worker:
        redis_process.pause()
        started = asyncio.get_running_loop().time()
        await worker.violated(violation(1))
        assert 0.04 < asyncio.get_running_loop().time() - started < 0.2
        assert worker.counters.late == 1
        redis_process.kill()
        await until(lambda: not worker.lookup._link.connected)
        await worker.violated(violation(2))
        await worker.violated(violation(3))
        assert (worker.counters.late, worker.counters.waiting) == (3, 3)
        redis_process.start()
        data.publish()
        await until(lambda: worker.memory.entries)
        assert worker.counters.waiting == 0


async def test_an_emptied_redis_is_told_again(redis_process: RedisServer, data: Dataset) -> None:
    async with working(redis_process) as one, working(redis_process) as two:
        for number in range(3):
            await one.violated(violation(number))
        with redis_process.client() as client:
            client.flushall()
        data.publish()
        one.counters.start()
        two.counters.watching = True
        two.counters.start()
        await until(lambda: two.memory.entries)
        assert one.memory.entries == two.memory.entries
        with redis_process.client() as client:
            field = f"number:{NUMBER}"
            await until(lambda: client.hget(ladder.state_key(), field))


async def test_what_is_lifted_begins_anew(redis_process: RedisServer, data: Dataset) -> None:
    async with working(redis_process) as worker:
        worker.counters.start()
        for number in range(3):
            await worker.violated(violation(number))
        with redis_process.client() as client:
            assert client.execute_command(*ladder.lift(worker.memory.entries)) == [1, b"2"]
            await until(lambda: not worker.memory.entries)
            assert not client.exists(ladder.window_key("number", NUMBER))
            assert client.exists(ladder.window_key("trunk", "cc-alpha")), "a step that was not lifted counts on"
        await worker.violated(violation(7))
        assert not worker.memory.entries


@pytest.mark.parametrize("binary", binaries()[-1:])
async def test_every_master_of_a_cluster_tells_of_it(binary: str) -> None:
    with RedisCluster(binary) as cluster:
        link = ClusterLink(read_deployment(cluster.url).addresses)
        async with running(link):
            await until(lambda: len(link.links) == 3 and all(one.connected for one in link.links))
            memory = LiveRestrictions()
            counters = CounterStore(
                partial(link_to, link), partial(shards_of, link), memory, 5.0, asyncio.get_running_loop()
            )
            for number in range(3):
                done: list[bool] = []
                counters.violated(violation(number), lambda done=done: done.append(True))  # type: ignore[misc]
                await until(lambda done=done: done)  # type: ignore[misc]
            assert list(memory.entries) == [("number", NUMBER)]
            for one, keys in shards_of(link):
                told = await question(one, [head_command(keys)], asyncio.get_running_loop())
                assert told[0][3] == b"1"
                assert not counters.behind(told[0][3])
            counters.close()
