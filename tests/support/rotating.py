"""A deployment whose keys are rotated: key file, projector, a worker's questions, and what ought to be stored."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.projector import Projector
from gateway.control.rotation.run import Rotated, Rotator
from gateway.gate.pseudonym import PseudonymRing
from gateway.gate.seal import Sealer, sealed_with
from gateway.key_ring import KeyFile, write
from gateway.keys import Keys
from gateway.store.ports import Rekeyed, SubscriberFacts, Unavailable
from gateway.store.redis.deployment import connect
from gateway.store.redis.snapshot import SnapshotWatcher
from gateway.store.sql.rotation import TABLES
from tests.support.database import KEYS, engine_on
from tests.support.redis_fixtures import until

Answer = SubscriberFacts | Unavailable


class Following:
    """What a worker has: a ring, the lookup, the watch on the head, and the key file."""

    def __init__(self, url: str, file: KeyFile, deadline_s: float = 0.5) -> None:
        self._file = file
        self.ring = PseudonymRing([key.secret for key in file.keys().pseudonyms])
        self.link, self.lookup = connect(url, deadline_s, keys=self.ring)
        self.watcher = SnapshotWatcher(self.link, lambda snapshot: None, self.lookup.set_epoch, keys=self.ring)
        self.rekeyed = 0

    async def ask(self, number: str) -> Answer:
        """As the gate does."""
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def told(answer: Answer) -> None:
            if isinstance(answer, Rekeyed):
                self.rekeyed += 1
                answer.again(self.ring.hash(number))
            else:
                answered.set_result(answer)

        self.lookup.ask(self.ring.hash(number), 1, 1, time.time(), told)
        return await asyncio.wait_for(answered, 5)

    async def state(self, number: str) -> str:
        """The consent's state, `declined`, or `unavailable`."""
        answer = await self.ask(number)
        if isinstance(answer, Unavailable):
            return f"unavailable: {answer}"
        return "declined" if answer.refuses_all or answer.scoped else answer.consent

    async def states(self, numbers: list[str]) -> list[str]:
        return await asyncio.gather(*[self.state(number) for number in numbers])

    def reread(self) -> None:
        """The key file, as a worker does once a second."""
        keys = self._file.changed()
        if keys is not None:
            self.ring.renew([key.secret for key in keys.pseudonyms])


@dataclass
class Site:
    """All of it."""

    engine: AsyncEngine
    redis_url: str
    path: Path
    file: KeyFile
    projector: Projector
    asker: Following

    @property
    def keys(self) -> Keys:
        return self.file.keys()

    async def rotate(self, dry_run: bool = False) -> Rotated:
        """The command."""
        return await self.rotator().rotate(dry_run=dry_run)

    def rotator(self) -> Rotator:
        return Rotator(self.engine, self.redis_url, self.path, KeyFile(self.path).keys(), "ann", lambda step: None)

    async def value(self, query: str) -> object:
        async with self.engine.connect() as connection:
            return (await connection.execute(text(query))).scalar_one()

    async def stored(self, table: str) -> list[tuple[object, ...]]:
        """Rows of a table with the number in clear in place of its hash and its sealed form; undo rows, which have no
        sealed form, with the number that hashes so."""
        keys = self.keys
        sealer = Sealer(keys.seal_id, keys.seal, keys.older_seals)
        known: dict[bytes, str] = {}
        async with self.engine.connect() as connection:
            for source in TABLES[:4]:
                rows = await connection.execute(text(f"SELECT callee_hash, callee_sealed FROM {source}"))
                for callee, sealed in rows:
                    known[callee] = sealer.open(sealed).decode()
            found = (await connection.execute(text(f"SELECT * FROM {table}"))).mappings().all()
        hidden = {"callee_hash", "callee_sealed"}
        return sorted(
            [(known[row["callee_hash"]], *(str(row[name]) for name in row if name not in hidden)) for row in found]
        )

    async def made_with(self) -> tuple[set[bool], set[int]]:
        """Of every stored number: is its hash the newest key's; ids of the keys it is sealed with."""
        keys = self.keys
        ring = PseudonymRing([keys.pseudonym])
        sealer = Sealer(keys.seal_id, keys.seal, keys.older_seals)
        hashed, sealed_by = set(), set()
        async with self.engine.connect() as connection:
            for source in TABLES[:4]:
                rows = await connection.execute(text(f"SELECT callee_hash, callee_sealed FROM {source}"))
                for callee, sealed in rows:
                    hashed.add(ring.hash(sealer.open(sealed).decode()) == callee)
                    sealed_by.add(sealed_with(sealed))
        return hashed, sealed_by


@asynccontextmanager
async def site(database_url: str, redis_url: str, directory: Path) -> AsyncIterator[Site]:
    """With the example's registry, and no consents."""
    path = directory / "keys.json"
    write(path, KEYS)
    file = KeyFile(path)
    stop = asyncio.Event()
    async with engine_on(database_url) as engine:
        projector = Projector(engine, redis_url, file.keys(), reread=KeyFile(path).keys)
        running = asyncio.ensure_future(projector.run(stop))
        asker = Following(redis_url, KeyFile(path, file.keys()))
        linking = asyncio.ensure_future(asker.link.run())
        asker.watcher.start()
        try:
            await until(lambda: (projector.status.in_step and asker.watcher.epoch) or running.done())
            yield Site(engine, redis_url, path, file, projector, asker)
        finally:
            stop.set()
            await running
            asker.watcher.stop()
            asker.lookup.close()
            linking.cancel()
            await asyncio.wait((linking,))
            await asyncio.sleep(0.01)  # the transports end in the next turns
