"""Cost of a lookup in the worker: us of CPU per ask at 1, 10 and 50 asks per loop turn.

`python -m tests.bench.micro_lookup`. `cpu` is this process alone (what a worker pays), `round trip` the wall time of a
turn. A real Redis on a unix socket; the event loop is uvloop, as in the worker.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import uvloop

from gateway.store.ports import SubscriberFacts, Unavailable
from gateway.store.redis.client import RedisLink
from gateway.store.redis.lookup import RedisLookup
from tests.support.redis_dataset import Dataset
from tests.support.redis_server import RedisServer

TURNS = 500
ROUNDS = 10
"""The best round is shown: the others were disturbed."""


async def measure(lookup: RedisLookup, per_turn: int) -> tuple[float, float]:
    """(us of CPU per ask, us of wall time per turn)."""
    loop = asyncio.get_running_loop()
    hashes = [number.to_bytes(8, "big") for number in range(1 << 40, (1 << 40) + per_turn)]
    left = 0
    done = loop.create_future()

    def reply(answer: SubscriberFacts | Unavailable) -> None:
        nonlocal left
        if isinstance(answer, Unavailable):
            raise answer
        left -= 1
        if not left:
            done.set_result(None)

    started, cpu = time.perf_counter(), time.process_time()
    for _ in range(TURNS):
        left = per_turn
        done = loop.create_future()
        for callee in hashes:
            lookup.ask(callee, 1, 2, 1e9, reply)
        await done
    cpu, wall = time.process_time() - cpu, time.perf_counter() - started
    return cpu / TURNS / per_turn * 1e6, wall / TURNS * 1e6


async def main() -> None:
    with tempfile.TemporaryDirectory() as directory, RedisServer(Path(directory)) as server:
        data = Dataset(server.client(), epoch=7, buckets=64)
        data.publish()
        for number in range(1 << 40, (1 << 40) + 50):
            data.grant(number.to_bytes(8, "big"), 1, 2)
        link = RedisLink(server.url)
        runner = asyncio.ensure_future(link.run())
        up = asyncio.Event()
        link.on_up.append(up.set)
        await up.wait()
        lookup = RedisLookup(link, 1.0)
        lookup.set_epoch(7, 64)
        await measure(lookup, 10)
        for per_turn in (1, 10, 50):
            rounds = [await measure(lookup, per_turn) for _ in range(ROUNDS)]
            cpu, wall = min(cpu for cpu, _ in rounds), min(wall for _, wall in rounds)
            print(f"lookup, {per_turn:2d} per turn: {cpu:5.1f} us CPU per ask, round trip {wall:6.1f} us per turn")
        lookup.close()
        runner.cancel()


if __name__ == "__main__":
    uvloop.run(main())
