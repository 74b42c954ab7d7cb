"""A lookup on a real server, and one question to it: shared by the tests of `gateway.store.redis.lookup`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.store.ports import SubscriberFacts, Unavailable
from gateway.store.redis.lookup import RedisLookup
from tests.support.redis_dataset import Dataset
from tests.support.redis_fixtures import linked
from tests.support.redis_server import RedisServer

CALLEE = b"\x80calleeX"
NOW = 1_700_000_000.0
DEADLINE_S = 0.5
"""Longer than a busy test machine's pauses; the tests of the deadline itself set their own."""

Answer = SubscriberFacts | Unavailable


@pytest.fixture
def data(redis_process: RedisServer) -> Dataset:
    """Epoch 7, in force: one consent."""
    dataset = Dataset(redis_process.client(), epoch=7, buckets=16)
    dataset.publish()
    dataset.grant(CALLEE, 1, 2)
    return dataset


@asynccontextmanager
async def looking(server: RedisServer, deadline_s: float = DEADLINE_S) -> AsyncIterator[RedisLookup]:
    async with linked(server.url) as link:
        lookup = RedisLookup(link, deadline_s)
        lookup.set_epoch(7, 16)
        try:
            yield lookup
        finally:
            lookup.close()


async def ask(lookup: RedisLookup, callee: bytes = CALLEE, operator: int = 1, purpose: int = 2) -> Answer:
    answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    lookup.ask(callee, operator, purpose, NOW, answered.set_result)
    assert not answered.done()  # never from inside `ask`
    return await asyncio.wait_for(answered, 10)
