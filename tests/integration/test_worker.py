"""A whole worker in this process, with a real Redis, real sockets and a journal on disk."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic, time

import pytest

from gateway.gate.pseudonym import Pseudonymizer
from gateway.gate.records import DecisionRecord, EndRecord, FloodRecord, OutcomeRecord, RestartRecord
from gateway.keys import load_or_create
from gateway.settings import Journal
from gateway.sip.message import Request
from gateway.store.redis.lastgood import FILE_NAME, load_last_good
from gateway.telemetry.stats_socket import fetch_stats
from gateway.worker import leases
from tests.support.journals import decision, open_at, write
from tests.support.kept import keep
from tests.support.redis_dataset import Dataset
from tests.support.redis_fixtures import redis_process, until
from tests.support.redis_server import RedisServer
from tests.support.sip_text import caller_party, request
from tests.support.worker_site import Disk, Phone, Site, working
from tests.unit.gate.calls import CALLEE

__all__ = ["redis_process"]


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """A worker tunes the collector of its process, which here is the tests'."""
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    alpha, carrier = Phone("127.0.0.2"), Phone("127.0.0.9")
    yield Site(tmp_path, load_or_create(tmp_path / "keys.json"), alpha, carrier, port)
    alpha.socket.close()
    carrier.socket.close()


@pytest.fixture
def data(redis_process: RedisServer, site: Site) -> Dataset:
    """Consent of the callee to alpha, and registry version 1."""
    dataset = Dataset(redis_process.client(), epoch=3, buckets=16)
    dataset.publish_registry(site.snapshot())
    dataset.publish(registry=1)
    dataset.grant(Pseudonymizer(site.keys.pseudonym).hash(CALLEE.decode()), 1, 1)
    return dataset


# -- the registry --------------------------------------------------------------------------------------------------


async def test_starts_from_the_last_good_snapshot_without_redis(site: Site) -> None:
    keep(site.state / FILE_NAME, site.snapshot(5))
    async with working(site.settings()) as worker:
        assert (worker.stats.registry_version, worker.watcher.version) == (5, 5)
        site.send(site.invite(to=b"<sip:110@127.0.0.1>").replace(b"INVITE sip:+8613800138000@", b"INVITE sip:110@"))
        assert (await site.carrier.request()).uri.startswith(b"sip:110@")
        site.send(site.invite(call_id=b"c2", branch=b"z9hG4bK-2"))
        assert (await site.alpha.get()).status == 100  # type: ignore[union-attr]
        refused = await site.alpha.final()
        assert (refused.status, refused.get(b"Retry-After")) == (503, None)
        assert b"store-unavailable" in (refused.get(b"Warning") or b"")
        worker.core.layer.clients.clear()  # nobody answers the emergency call: the drain need not wait for it
        worker.core.layer.servers.clear()


async def test_without_any_registry_nothing_is_answered(site: Site) -> None:
    async with working(site.settings()) as worker:
        site.send(site.invite())
        await asyncio.sleep(0.05)
        assert site.alpha.silent()
        assert (worker.edge.received, worker.stats.registry_version, worker.book) == (0, 0, None)


async def test_a_last_good_snapshot_that_is_refused_does_not_stop_the_start(site: Site) -> None:
    keep(site.state / FILE_NAME, site.snapshot(5, pack="id ="))
    async with working(site.settings()) as worker:
        assert (worker.stats.registry_version, worker.watcher.version) == (0, -1)


async def test_the_registry_switches_under_way_and_a_bad_one_is_refused(
    redis_process: RedisServer, site: Site, data: Dataset
) -> None:
    async with working(site.settings(redis_process.url)) as worker:
        await until(lambda: worker.stats.registry_version == 1 and worker.lookup.epoch == 3)
        site.send(site.invite())
        sent = await site.carrier.request()
        site.answer(sent, 486)
        assert (await site.alpha.final()).status == 486

        data.publish_registry(site.snapshot(2, pack="id = 'broken'"))
        await until(lambda: worker.watcher.refused)
        assert worker.watcher.reason.startswith("registry version 2: pack example of registry version 2")
        assert worker.stats.registry_version == 1
        site.send(site.invite(call_id=b"c2", branch=b"z9hG4bK-2"))
        site.answer(await next_invite(site.carrier), 486)
        assert (await site.alpha.final()).status == 486

        off = site.snapshot(3)
        data.publish_registry(replace(off, trunks=(replace(off.trunks[0], state="suspended"), off.trunks[1])))
        await until(lambda: worker.stats.registry_version == 3)
        site.send(site.invite(call_id=b"c3", branch=b"z9hG4bK-3"))
        assert (await site.alpha.final()).status == 403
    kept = load_last_good(site.state / FILE_NAME)
    assert kept is not None
    assert kept.snapshot.version == 3
    decided = [record for record in site.records() if isinstance(record, DecisionRecord)]
    assert [record.registry for record in decided] == [1, 1, 3]


async def next_invite(phone: Phone) -> Request:
    """Passing by the ACK of the call before."""
    while True:
        got = await phone.request()
        if got.method == b"INVITE":
            return got


# -- calls ---------------------------------------------------------------------------------------------------------


async def test_a_call_its_evidence_and_its_numbers(redis_process: RedisServer, site: Site, data: Dataset) -> None:
    settings = site.settings(redis_process.url)
    async with working(settings) as worker:
        await until(lambda: worker.stats.registry_version == 1 and worker.lookup.epoch == 3)
        sent_text = site.invite()
        site.send(sent_text)
        site.answer(await site.carrier.request())
        got = await site.alpha.final()
        counted = await fetch_stats(settings.worker_socket(0), 5)
        assert counted is not None
        assert counted.value("callgate_active_calls") == counted.value("callgate_redis_up") == 1
        assert (counted.value("callgate_registry_version"), counted.value("callgate_dataset_epoch")) == (1, 3)
        assert {tuple(labels): up for labels, up in counted.samples["callgate_peer_up"]} == {
            ("cc-alpha", f"127.0.0.2:{site.alpha.port}/udp"): 1.0,
            ("carrier", f"127.0.0.9:{site.carrier.port}/udp"): 1.0,
        }
        messages = {tuple(labels): value for labels, value in counted.samples["callgate_sip_messages_total"]}
        assert messages["in", "INVITE"] == messages["out", "INVITE"] == messages["in", "2xx"] == 1
        lookups = counted.histograms["callgate_lookup_seconds"]
        assert sum(lookups.counts) == 1
        party = caller_party(sent_text, got, site.alpha.via + b";rport")
        site.send(party.request(b"BYE", b"z9hG4bK-b"))
        bye = await site.carrier.request()
        assert bye.method == b"BYE"
        site.answer(bye)
        assert (await site.alpha.final()).status == 200
        assert worker.keeper.active == 0
    kinds = [type(record) for record in site.records()]
    assert kinds == [RestartRecord, DecisionRecord, OutcomeRecord, EndRecord]


async def test_a_call_that_is_up_for_too_long_gets_its_end_record(
    redis_process: RedisServer, site: Site, data: Dataset
) -> None:
    async with working(site.settings(redis_process.url)) as worker:
        await until(lambda: worker.stats.registry_version == 1 and worker.lookup.epoch == 3)
        site.send(site.invite())
        site.answer(await site.carrier.request())
        await site.alpha.final()
        (call,) = worker.keeper._leases._due
        worker.keeper._leases.end(call)
        worker.keeper._leases.begin(call, monotonic() - 5 * 3600)
        await until(lambda: worker.keeper.active == 0)  # the housekeeping of the second
        await until(lambda: any(isinstance(record, EndRecord) for record in site.records()))
    (end,) = [record for record in site.records() if isinstance(record, EndRecord)]
    assert (end.by, end.cause) == ("gateway", "no BYE")


async def test_a_call_ends_with_its_session_unless_it_is_refreshed(
    redis_process: RedisServer, site: Site, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 4028, with seconds for minutes."""
    monkeypatch.setattr(leases, "MIN_SESSION_S", 1)
    monkeypatch.setattr(leases, "GRACE_S", 1)
    session = ((b"Session-Expires", b"1;refresher=uac"),)
    async with working(site.settings(redis_process.url)) as worker:
        await until(lambda: worker.stats.registry_version == 1 and worker.lookup.epoch == 3)
        sent_text = site.invite()
        site.send(sent_text)
        site.answer(await site.carrier.request(), extra=session)
        party = caller_party(sent_text, await site.alpha.final(), site.alpha.via + b";rport")
        began = monotonic()
        while monotonic() - began < 2.5:  # longer than one session
            await asyncio.sleep(0.5)
            site.send(party.request(b"UPDATE", b"z9hG4bK-u%d" % party.cseq))
            site.answer(await site.carrier.request(), extra=session)
            assert (await site.alpha.final()).status == 200
        assert worker.keeper.active == 1
        await until(lambda: worker.keeper.active == 0)
        await until(lambda: any(isinstance(record, EndRecord) for record in site.records()))
    (end,) = [record for record in site.records() if isinstance(record, EndRecord)]
    assert (end.by, end.cause) == ("gateway", "no BYE")


async def test_strangers_are_counted(redis_process: RedisServer, site: Site, data: Dataset) -> None:
    async with working(site.settings(redis_process.url)) as worker:
        await until(lambda: worker.stats.registry_version == 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.77", 0))
            stranger.sendto(site.invite(), ("127.0.0.1", site.port))
            await until(lambda: worker.edge.strangers)
        worker.stats.snapshot()
        assert worker.stats.dropped["unknown-source"] == 1


# -- journal.sync = always -----------------------------------------------------------------------------------------


async def test_sync_always_parks_the_call_until_its_record_is_on_disk(
    redis_process: RedisServer, site: Site, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with working(site.settings(redis_process.url, Journal(sync="always"))) as worker:
        await until(lambda: worker.stats.registry_version == 1 and worker.lookup.epoch == 3)
        disk = Disk(monkeypatch)
        site.send(site.invite())
        assert (await site.alpha.get()).status == 100  # type: ignore[union-attr]
        await until(lambda: disk.asked)
        (segment,) = (site.state / "journal" / "n-0").glob("*.jnl")
        assert b'"kind":"decision"' in segment.read_bytes()
        assert site.carrier.silent(), "the record is written, not yet on disk"
        disk.let_go()
        sent = await site.carrier.request()
        site.answer(sent, 486)
        assert (await site.alpha.final()).status == 486


async def test_sync_always_refuses_what_the_disk_did_not_take(
    redis_process: RedisServer, site: Site, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with working(site.settings(redis_process.url, Journal(sync="always"))) as worker:
        await until(lambda: worker.stats.registry_version == 1 and worker.lookup.epoch == 3)
        disk = Disk(monkeypatch)
        disk.broken = True
        disk.let_go()
        site.send(site.invite())
        refused = await site.alpha.final()
        assert (refused.status, refused.get(b"Retry-After")) == (503, b"1")
        assert worker.stats.journal_errors >= 1
        disk.broken = False
        sent = await placed_again(site)
        site.answer(sent, 486)
        while (await site.alpha.final()).call_id != sent.call_id:
            pass
    refusals = [record for record in site.records() if isinstance(record, OutcomeRecord) and record.status == 503]
    assert refusals
    assert {record.result for record in refusals} == {"failed"}


async def placed_again(site: Site) -> Request:
    """Place calls until one passes: the journal leaves a file that failed behind, at most once a second."""
    for number in range(50):
        site.send(site.invite(call_id=b"again-%d" % number, branch=b"z9hG4bK-again-%d" % number))
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                return await site.carrier.request()
    raise AssertionError("no call passes any more")


# -- the end, and the beginning after it ---------------------------------------------------------------------------


async def test_drain_lets_calls_in_set_up_finish_and_takes_no_new_ones(
    redis_process: RedisServer, site: Site, data: Dataset
) -> None:
    async with working(site.settings(redis_process.url)) as worker:
        await until(lambda: worker.stats.registry_version == 1 and worker.lookup.epoch == 3)
        site.send(site.invite())
        sent = await site.carrier.request()
        draining = asyncio.ensure_future(worker.drain())
        await until(lambda: worker.stats.draining)
        site.send(site.invite(call_id=b"c2", branch=b"z9hG4bK-2"))
        refused = await site.alpha.final()
        assert (refused.call_id, refused.status, refused.get(b"Retry-After")) == (b"c2", 503, b"3")
        site.send(request(b"OPTIONS", b"sip:127.0.0.1", via=site.alpha.via + b";rport", branch=b"z9hG4bK-o"))
        assert (await site.alpha.final()).status == 503
        assert not draining.done()
        site.answer(sent, 486)
        assert (await site.alpha.final()).status == 486
        async with asyncio.timeout(5):
            await draining  # as soon as nothing is in progress
        assert worker.listeners[0].socket.fileno() == -1
        await asyncio.sleep(0)
        assert not worker.link.connected
    results = [(r.rule, r.status) for r in site.records() if isinstance(r, DecisionRecord)]
    assert results == [("allow", 0), ("draining", 503)]
    assert [r.result for r in site.records() if isinstance(r, OutcomeRecord)] == ["failed"]


async def test_drain_does_not_wait_for_ever_and_writes_what_is_left(
    redis_process: RedisServer, site: Site, data: Dataset
) -> None:
    settings = site.settings(redis_process.url)
    settings = replace(settings, node=replace(settings.node, drain_s=0.0))
    async with working(settings) as worker:
        await until(lambda: worker.stats.registry_version == 1 and worker.lookup.epoch == 3)
        for _ in range(1_003):
            worker.gate.evidence.flooded("127.0.0.2", "cc-alpha", "purpose", 403, time())
        site.send(site.invite())
        await site.carrier.request()
        await worker.drain()
    floods = [record.count for record in site.records() if isinstance(record, FloodRecord)]
    assert floods == [3]


async def test_a_worker_that_was_killed_knows_its_calls(site: Site) -> None:
    """Calls in set-up are lost, ends are not recorded twice, verdicts are remembered."""
    now = time()
    directory = site.state / "journal" / "n-0"
    writer, _ = open_at(directory, now=now)
    write(writer, decision(1, at=now), decision(2, at=now), EndRecord(f"{3:032x}", int(now * 1e6), "core"))
    write(writer, OutcomeRecord(f"{2:032x}", int(now * 1e6), "answered", 200))
    writer.close()
    last = sorted(directory.glob("*.jnl"))[-1]
    last.write_bytes(last.read_bytes() + b'{"kind":"decis')
    async with working(site.settings()) as worker:
        assert worker.stats.outcomes == {("", "lost"): 1}
        assert not worker.gate.evidence.ended(f"{3:032x}", now, "core", "")
        assert set(worker.gate._recovered.decisions) == {f"{1:032x}", f"{2:032x}"}
    lost, restart = site.records()[-2:]
    assert isinstance(lost, OutcomeRecord)
    assert (lost.id, lost.result) == (f"{1:032x}", "lost")
    assert isinstance(restart, RestartRecord)
    assert (restart.torn_bytes, restart.lost_calls, restart.node) == (14, 1, "n")
