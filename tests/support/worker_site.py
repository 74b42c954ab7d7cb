"""Where a worker works in a test: a state directory, a registry, a phone at each end, and a disk that can be held."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest

from gateway.gate.records import Record
from gateway.keys import Keys
from gateway.registry.model import NextHop, Snapshot
from gateway.registry.plan_csv import emergency_codes, load_plan_csv
from gateway.settings import Journal, Listener, Node, Probe, Redis, Settings, make_run_dir
from gateway.sip.message import Request, Response
from gateway.sip.parser import parse
from gateway.store.journal.reader import JournalReader, Position
from gateway.worker.main import Worker
from tests.support.sip_text import answer, invite
from tests.unit.gate.calls import ALPHA, CARRIER, RANGES, registry
from tests.unit.gate.test_pack import EXAMPLE

NO_REDIS = "unix:///nowhere/redis.sock"


class Phone:
    """A blocking socket read in the loop: one at each end."""

    def __init__(self, host: str) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.setblocking(False)
        self.port: int = self.socket.getsockname()[1]
        self.via = f"SIP/2.0/UDP {host}:{self.port}".encode()

    async def get(self) -> Request | Response:
        async with asyncio.timeout(10):
            return parse(await asyncio.get_running_loop().sock_recv(self.socket, 65_535))

    async def request(self) -> Request:
        got = await self.get()
        assert isinstance(got, Request), got.status
        return got

    async def final(self) -> Response:
        """The next response above 100."""
        while True:
            got = await self.get()
            assert isinstance(got, Response), got.method
            if got.status > 100:
                return got

    def silent(self) -> bool:
        try:
            self.socket.recv(65_535)
        except BlockingIOError:
            return True
        return False


@dataclass
class Site:
    """A state directory, keys, a snapshot, and a phone at each end."""

    state: Path
    keys: Keys
    alpha: Phone
    carrier: Phone
    port: int

    def settings(self, redis_url: str = NO_REDIS, journal: Journal | None = None) -> Settings:
        return Settings(
            node=Node(name="n", state_dir=str(self.state), drain_s=20.0),
            listener=(Listener(name="main", address="127.0.0.1", port=self.port),),
            redis=Redis(url=redis_url),
            journal=journal or Journal(interval_ms=1),
            probe=Probe(single_hops=False),  # a phone gets what it is asked about, and nothing else
        )

    def snapshot(self, version: int = 1, pack: str = EXAMPLE) -> Snapshot:
        plan = load_plan_csv(Path("config/plans/cn.csv").read_text(encoding="utf-8"))
        return Snapshot(
            version,
            operators=registry().operators,
            trunks=(
                replace(ALPHA, next_hops=(NextHop("127.0.0.2", self.alpha.port),)),
                replace(CARRIER, next_hops=(NextHop("127.0.0.9", self.carrier.port),)),
            ),
            ranges=RANGES,
            plan=plan,
            emergency=emergency_codes(plan),
            purposes={"consultation": 1},
            packs={"example": pack},
        )

    def invite(self, **changes: object) -> bytes:
        """An INVITE of alpha, without a body: what is in one is not asked here."""
        return invite(**{"via": self.alpha.via + b";rport", "body": b"", **changes})

    def send(self, data: bytes) -> None:
        self.alpha.socket.sendto(data, ("127.0.0.1", self.port))

    def answer(self, got: Request, status: int = 200, **changes: object) -> None:
        contact = b"<sip:13800138000@127.0.0.9:%d>" % self.carrier.port
        data = answer(got, status, contact=contact, **changes)  # type: ignore[arg-type]
        self.carrier.socket.sendto(data, ("127.0.0.1", self.port))

    def records(self) -> list[Record]:
        rows, _ = JournalReader(self.state / "journal" / "n-0").read(Position(), 1_000)
        return [msgspec.json.decode(row.payload, type=Record) for row in rows]


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[Worker]:
    """A worker, drained at the end."""
    make_run_dir(settings)
    worker = Worker(settings, 0, asyncio.get_running_loop())
    await worker.start()
    try:
        yield worker
    finally:
        if not worker.stats.draining:
            await worker.drain()
        await worker.watcher.saved()


class Disk:
    """fdatasync, held until the test lets it go; `broken`: it fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._gate = threading.Event()
        self._sync = os.fdatasync
        self.asked = 0
        self.broken = False
        monkeypatch.setattr("gateway.store.journal.syncer.os.fdatasync", self._fdatasync)

    def let_go(self) -> None:
        self._gate.set()

    def _fdatasync(self, fd: int) -> None:
        self.asked += 1
        if self.broken or not self._gate.wait(10):
            raise OSError(5, "Input/output error")
        self._sync(fd)
