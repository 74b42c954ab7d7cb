"""A lookup in a process that is kept from running: what the server answered in time counts."""

from __future__ import annotations

import asyncio
import socket
import time

import uvloop

from gateway.store.ports import SubscriberFacts, Unavailable
from gateway.store.redis.lookup import RedisLookup
from tests.support.redis_dataset import Dataset
from tests.support.redis_fixtures import linked, redis_process, until
from tests.support.redis_server import RedisServer

__all__ = ["redis_process"]

CALLEE = b"\x80calleeX"
DEADLINE_S = 0.02
BUSY_S = 3 * DEADLINE_S


def test_an_answer_that_lies_in_the_socket_at_the_deadline_counts(redis_process: RedisServer) -> None:
    """On the loop that workers run on, which after a busy socket looks at its timers first."""
    data = Dataset(redis_process.client(), epoch=7, buckets=16)
    data.publish()
    data.grant(CALLEE, 1, 2)

    async def kept_from_running() -> tuple[list[SubscriberFacts | Unavailable], int]:
        answers: list[SubscriberFacts | Unavailable] = []
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()

        def busy() -> None:
            loop.remove_reader(ours)
            redis_process.resume()
            time.sleep(BUSY_S)

        async with linked(redis_process.url) as link:
            lookup = RedisLookup(link, DEADLINE_S)
            lookup.set_epoch(7, 16)
            redis_process.pause()
            with ours, theirs:
                loop.add_reader(ours, busy)
                lookup.ask(CALLEE, 1, 2, 1_700_000_000.0, answers.append)
                await asyncio.sleep(0)  # sent
                theirs.send(b"x")
                await until(lambda: bool(answers))
            lookup.close()
        return answers, lookup.timeouts

    assert uvloop.run(kept_from_running()) == ([SubscriberFacts("live")], 0)
