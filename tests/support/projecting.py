"""A projector and a worker's questions, over whatever Redis a test has."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.importer import grant_consent
from gateway.control.projector import Projector
from gateway.store.ports import SubscriberFacts, Unavailable
from gateway.store.redis.deployment import connect
from gateway.store.redis.snapshot import SnapshotWatcher
from tests.support.database import KEYS, engine_on, hash_of
from tests.support.redis_fixtures import until

NUMBERS = [f"+86138{number:08d}" for number in range(60)]
Answer = SubscriberFacts | Unavailable


class Asker:
    """What a worker has: the lookup, and the watch on the head."""

    def __init__(self, url: str, deadline_s: float = 0.5) -> None:
        self.link, self.lookup = connect(url, deadline_s)
        self.versions: list[int] = []
        self.watcher = SnapshotWatcher(
            self.link, lambda snapshot, _: self.versions.append(snapshot.version), self.lookup.set_epoch
        )  # fmt: skip

    async def ask(self, number: str) -> Answer:
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.lookup.ask(hash_of(number), 1, 1, time.time(), answered.set_result)
        return await asyncio.wait_for(answered, 5)

    async def consents(self, numbers: list[str] = NUMBERS) -> list[str]:
        """Of each number: the consent's state, or `unavailable`."""
        answers = await asyncio.gather(*[self.ask(number) for number in numbers])
        return ["unavailable" if isinstance(answer, Unavailable) else answer.consent for answer in answers]

    async def until_all(self, state: str, numbers: list[str] = NUMBERS, within_s: float = 15.0) -> set[str]:
        """Wait until all say so; whatever else was said meanwhile."""
        others: set[str] = set()
        deadline = time.monotonic() + within_s
        while True:
            found = set(await self.consents(numbers))
            if found == {state}:
                return others
            others |= found - {state}
            assert time.monotonic() < deadline, f"not in time: {found}"
            await asyncio.sleep(0.01)


@asynccontextmanager
async def asking(url: str, deadline_s: float = 0.5) -> AsyncIterator[Asker]:
    asker = Asker(url, deadline_s)
    running = asyncio.ensure_future(asker.link.run())
    asker.watcher.start()
    try:
        await until(lambda: asker.watcher.epoch)
        yield asker
    finally:
        asker.watcher.stop()
        asker.lookup.close()
        running.cancel()
        await asyncio.wait((running,))
        await asyncio.sleep(0.01)  # the transports end in the next turns


@asynccontextmanager
async def projecting(engine: AsyncEngine, url: str) -> AsyncIterator[Projector]:
    projector, stop = Projector(engine, url, KEYS), asyncio.Event()
    running = asyncio.ensure_future(projector.run(stop))
    try:
        await until(lambda: projector.status.in_step or running.done())
        yield projector
    finally:
        stop.set()
        await running


async def grant_all(engine: AsyncEngine) -> None:
    for number in NUMBERS:
        await grant_consent(engine, KEYS, number, "alpha", "consultation", principal="test")


@asynccontextmanager
async def filled(database_url: str, redis_url: str) -> AsyncIterator[tuple[AsyncEngine, Projector, Asker]]:
    """All of NUMBERS have consent, and it is there."""
    async with (
        engine_on(database_url) as engine,
        projecting(engine, redis_url) as projector,
        asking(redis_url) as asker,
    ):
        await grant_all(engine)
        await asker.until_all("live")
        await until(lambda: projector.status.in_step)
        yield engine, projector, asker


async def steady(asker: Asker, numbers: list[str], done: Callable[[], bool]) -> set[str]:
    """Everything that was answered until `done`."""
    found: set[str] = set()
    while not done():
        found |= set(await asker.consents(numbers))
        await asyncio.sleep(0.001)
    return found
