"""Two whole workers behind one address: one dies, the other stands in for it, it comes back. Nothing is decided twice,
and each call has one outcome and one end, whichever worker sees which of its messages."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import msgspec
import pytest

from gateway.gate.records import DecisionRecord, EndRecord, OutcomeRecord, Record
from gateway.net.group import Group, bind_groups, close_groups, inherited
from gateway.net.share import share_of
from gateway.net.sibling import socket_path
from gateway.settings import Settings, make_run_dir
from gateway.sip.message import Request
from gateway.store.journal.reader import JournalReader, Position
from gateway.worker.main import Worker
from tests.integration.test_worker import collector, data, site
from tests.support.redis_dataset import Dataset
from tests.support.redis_fixtures import redis_process, until
from tests.support.redis_server import RedisServer
from tests.support.sip_text import CALLEE, CALLER, request
from tests.support.worker_site import Site

__all__ = ["collector", "data", "redis_process", "site"]

HOLD_S = 0.3
CALL = next(b"%d@127.0.0.2" % n for n in range(100) if share_of(b"%d@127.0.0.2" % n, 2) == 1)
"""A call of the second worker's share."""


class Node:
    """Both workers, on sockets that this test holds as the supervisor does."""

    def __init__(self, site: Site, settings: Settings) -> None:
        self.site = site
        self.settings = replace(settings, node=replace(settings.node, workers=2, drain_s=0.0))
        make_run_dir(self.settings)
        self.groups, _ = bind_groups([("127.0.0.1", site.port)], 2)
        self.workers: dict[int, Worker] = {}

    async def begin(self, index: int) -> Worker:
        text = ";".join(",".join(str(member.dup().detach()) for member in group) for group in self.groups)
        groups: list[Group] = inherited(text)
        self.workers[index] = worker = Worker(self.settings, index, asyncio.get_running_loop(), groups)
        await worker.start()
        await until(lambda: worker.edge.reading and worker.link.connected and worker.lookup.epoch == 3)
        return worker

    async def kill(self, index: int) -> None:
        """As SIGKILL does: what was written stays, everything else is gone, and the socket file is left."""
        worker = self.workers.pop(index)
        worker.edge.stop()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as dead:
            dead.bind(str(socket_path(self.settings.run_dir, index)))
        worker._housekeeping.cancel()
        worker._waiting.cancel()
        worker.watcher.stop()
        worker.lookup.close()
        worker._linking.cancel()
        worker._server.close()
        worker.journal.close()
        await worker.watcher.saved()

    async def end(self) -> None:
        for worker in self.workers.values():
            await worker.drain()
            await worker.watcher.saved()
        close_groups(self.groups)

    def records(self) -> list[Record]:
        found: list[Record] = []
        for index in range(2):
            rows, _ = JournalReader(self.site.state / "journal" / f"n-{index}").read(Position(), 1_000)
            found += [msgspec.json.decode(row.payload, type=Record) for row in rows]
        return found

    def told(self) -> tuple[Counter[str], list[str], int]:
        """Decisions by Call-ID, outcomes, and the number of ends."""
        records = self.records()
        decisions = Counter(record.call_id for record in records if isinstance(record, DecisionRecord))
        outcomes = [record.result for record in records if isinstance(record, OutcomeRecord)]
        return decisions, outcomes, sum(isinstance(record, EndRecord) for record in records)


@asynccontextmanager
async def two(site: Site, redis: RedisServer) -> AsyncIterator[Node]:
    node = Node(site, site.settings(redis.url))
    try:
        await node.begin(0)
        await node.begin(1)
        yield node
    finally:
        await node.end()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("gateway.net.sibling.HOLD_S", HOLD_S)
    yield


def handed(worker: Worker) -> int:
    """Messages of the other worker's calls that it handled."""
    assert worker.handover is not None
    return worker.handover.taken_over


async def ringing(site: Site) -> Request:
    """The INVITE of `CALL` as the carrier gets it."""
    site.send(site.invite(call_id=CALL))
    return await site.carrier.request()


async def answered(site: Site, got: Request) -> list[bytes]:
    """The carrier answers; the caller's route set."""
    site.answer(got)
    while (final := await site.alpha.final()).status < 200:
        pass
    assert final.status == 200
    routes = [value for name, value in final.headers if name == b"Record-Route"][::-1]
    site.send(in_dialog(site, b"ACK", 1, routes))
    while (acked := await site.carrier.request()).method != b"ACK":
        pass  # INVITEs that were repeated
    assert acked.call_id == CALL
    return routes


def in_dialog(site: Site, method: bytes, cseq: int, routes: list[bytes]) -> bytes:
    return request(
        method, b"sip:13800138000@127.0.0.9:%d" % site.carrier.port, via=site.alpha.via + b";rport",
        branch=b"z9hG4bK" + method, to=b"<sip:" + CALLEE + b"@127.0.0.1>;tag=tt", call_id=CALL, cseq=cseq, contact=b"",
        extra=tuple((b"Route", route) for route in routes),
    )  # fmt: skip


async def hung_up(site: Site, routes: list[bytes]) -> None:
    site.send(in_dialog(site, b"BYE", 2, routes))
    while (got := await site.carrier.request()).method != b"BYE":
        pass  # INVITEs that were repeated
    site.answer(got)
    assert (await site.alpha.final()).status == 200


async def test_a_call_goes_on_at_the_stand_in_and_stays_there_when_its_worker_is_back(
    site: Site, redis_process: RedisServer, data: Dataset
) -> None:
    async with two(site, redis_process) as node:
        first = await ringing(site)
        assert node.workers[1].core.layer.servers and not node.workers[0].core.layer.servers
        await node.kill(1)
        again = await ringing(site)  # waits in the dead worker's socket, until the other reads it
        assert again.via.branch == first.via.branch, "the same call, in the next element's eyes too"
        await until(lambda: bool(node.workers[0].core.layer.servers))
        await node.begin(1)
        assert node.told() == ({CALL.decode(): 1}, [], 0), "it is being set up still: it is not lost"
        site.send(site.invite(call_id=CALL))  # once more: absorbed where the call is
        await until(lambda: handed(node.workers[0]) == 2)
        routes = await answered(site, again)
        await hung_up(site, routes)
        assert node.told() == ({CALL.decode(): 1}, ["answered"], 1)
        assert not node.workers[1].core.layer.servers
        other = CALL + b"x"
        while share_of(other, 2) != 1:
            other += b"x"
        site.send(site.invite(call_id=other, branch=b"z9hG4bK-new"))
        await site.carrier.request()
        assert node.workers[1].core.layer.servers, "new calls are its own again"


async def test_a_call_first_decided_at_the_stand_in_is_not_decided_again(
    site: Site, redis_process: RedisServer, data: Dataset
) -> None:
    async with two(site, redis_process) as node:
        await node.kill(1)
        got = await ringing(site)
        await node.begin(1)
        for _ in range(3):
            site.send(site.invite(call_id=CALL))
        await until(lambda: handed(node.workers[0]) == 4)
        assert node.told()[0] == {CALL.decode(): 1}
        await hung_up(site, await answered(site, got))
        await node.kill(0)  # now its own worker stands in, and reads what the other decided
        site.send(site.invite(call_id=CALL))
        await site.carrier.request()
        assert node.told()[0] == {CALL.decode(): 1}


async def test_a_call_that_ended_at_the_stand_in_does_not_end_again(
    site: Site, redis_process: RedisServer, data: Dataset
) -> None:
    async with two(site, redis_process) as node:
        routes = await answered(site, await ringing(site))
        await node.kill(1)
        await hung_up(site, routes)
        assert node.told() == ({CALL.decode(): 1}, ["answered"], 1)
        worker = await node.begin(1)
        assert worker.keeper.active == 0
        await node.kill(0)
        await hung_up(site, routes)  # repeated, because its 200 got lost: the next element answers it again
        assert node.told() == ({CALL.decode(): 1}, ["answered"], 1)


async def test_what_waits_for_a_worker_that_is_back_in_time_is_its_own(
    site: Site, redis_process: RedisServer, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.net.sibling.HOLD_S", 60.0)
    async with two(site, redis_process) as node:
        first = await ringing(site)
        await node.kill(1)
        site.send(site.invite(call_id=CALL))
        await node.begin(1)
        again = await site.carrier.request()
        assert again.via.branch == first.via.branch
        assert node.workers[1].core.layer.servers and not node.workers[0].core.layer.servers
        assert node.told()[0] == {CALL.decode(): 1}
        assert CALLER in again.from_.uri
