"""The watch on the head: new registry versions, bad ones, new epochs, and the last good file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.registry.model import Operator, Snapshot
from gateway.registry.ranges import RangeTable
from gateway.store.redis import layout
from gateway.store.redis.lastgood import FILE_NAME, load_last_good
from gateway.store.redis.snapshot import POLL_EVERY_S, SnapshotWatcher
from tests.support.redis_dataset import Dataset
from tests.support.redis_fixtures import linked, redis_process, until
from tests.support.redis_server import RedisServer

__all__ = ["redis_process"]


class Worker:
    """What a worker makes of the callbacks."""

    def __init__(self) -> None:
        self.snapshots: list[int] = []
        self.ranges = RangeTable()
        self.epochs: set[tuple[int, int]] = set()

    def on_snapshot(self, snapshot: Snapshot, ranges: RangeTable) -> None:
        if snapshot.zone == "bad":
            raise ValueError("zone: bad: use a real one")
        self.snapshots.append(snapshot.version)
        self.ranges = ranges

    def on_epoch(self, epoch: int, buckets: int) -> None:
        self.epochs.add((epoch, buckets))


def kept(path: Path) -> Snapshot | None:
    found = load_last_good(path)
    return found and found.snapshot


@asynccontextmanager
async def watching(server: RedisServer, last_good: Path | None = None) -> AsyncIterator[tuple[SnapshotWatcher, Worker]]:
    async with linked(server.url) as link:
        worker = Worker()
        watcher = SnapshotWatcher(link, worker.on_snapshot, worker.on_epoch, last_good)
        watcher.start()
        try:
            yield watcher, worker
        finally:
            watcher.stop()
            await watcher.saved()


@pytest.fixture
def data(redis_process: RedisServer) -> Dataset:
    dataset = Dataset(redis_process.client(), epoch=7, buckets=16)
    dataset.publish_registry(Snapshot(1))
    dataset.publish(registry=1)
    return dataset


async def test_versions_and_epochs_as_they_come(redis_process: RedisServer, data: Dataset, tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    async with watching(redis_process, path) as (watcher, worker):
        await until(lambda: worker.snapshots == [1])
        await until(lambda: worker.epochs == {(7, 16)})
        operators = (Operator("alpha", "Alpha", 1),)
        data.publish_registry(Snapshot(2, operators))
        await until(lambda: worker.snapshots == [1, 2], wait_s=POLL_EVERY_S * 10)
        assert (watcher.version, watcher.epoch, watcher.refused, watcher.reason) == (2, 7, 0, "")
        Dataset(redis_process.client(), epoch=8, buckets=32).publish(registry=2)
        await until(lambda: worker.epochs == {(7, 16), (8, 32)})
        await asyncio.sleep(POLL_EVERY_S * 1.5)
        assert worker.snapshots == [1, 2]  # not again
    assert kept(path) == Snapshot(2, operators)


async def test_a_refused_version_leaves_the_old_one(redis_process: RedisServer, data: Dataset, tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    async with watching(redis_process, path) as (watcher, worker):
        await until(lambda: worker.snapshots == [1])
        data.publish_registry(Snapshot(2, zone="bad"))
        await until(lambda: watcher.refused == 1)
        assert watcher.reason == "registry version 2: zone: bad: use a real one"
        await asyncio.sleep(POLL_EVERY_S * 2.5)
        assert watcher.refused == 1 and watcher.version == 1  # tried once
        data.publish_registry(Snapshot(3))
        await until(lambda: worker.snapshots == [1, 3])
        assert watcher.reason == ""
    assert kept(path) == Snapshot(3)


@pytest.mark.parametrize("blob", [b"", b"{", b'{"version":99}'])
async def test_a_blob_that_is_no_snapshot(redis_process: RedisServer, data: Dataset, blob: bytes) -> None:
    async with watching(redis_process) as (watcher, worker):
        await until(lambda: worker.snapshots == [1])
        with redis_process.client() as client:
            client.set(layout.registry_key(5), blob)
            client.hset(layout.HEAD_KEY, layout.HEAD_REGISTRY, b"5")
        await until(lambda: watcher.refused == 1)
        assert watcher.version == 1 and watcher.reason.startswith("registry version 5: ")


async def test_a_blob_that_comes_later(redis_process: RedisServer, data: Dataset) -> None:
    with redis_process.client() as client:
        client.delete(layout.registry_key(1))
    async with watching(redis_process) as (watcher, worker):
        await until(lambda: watcher.epoch == 7)
        assert worker.snapshots == []
        data.publish_registry(Snapshot(1))
        await until(lambda: worker.snapshots == [1])


async def test_an_empty_or_foreign_head_changes_nothing(redis_process: RedisServer, data: Dataset) -> None:
    async with watching(redis_process) as (watcher, worker):
        await until(lambda: worker.snapshots == [1])
        with redis_process.client() as client:
            client.flushall()
            await asyncio.sleep(POLL_EVERY_S * 1.5)
            client.set(layout.HEAD_KEY, b"foreign")
            await asyncio.sleep(POLL_EVERY_S * 1.5)
            client.delete(layout.HEAD_KEY)
            client.hset(layout.HEAD_KEY, layout.HEAD_EPOCH, b"x")
            await asyncio.sleep(POLL_EVERY_S * 1.5)
        assert worker.snapshots == [1] and (watcher.version, watcher.epoch) == (1, 7)


async def test_the_watch_outlives_the_server(redis_process: RedisServer, data: Dataset) -> None:
    async with watching(redis_process) as (watcher, worker):
        await until(lambda: worker.snapshots == [1])
        redis_process.kill()
        await asyncio.sleep(POLL_EVERY_S)
        redis_process.start()
        again = Dataset(redis_process.client(), epoch=9, buckets=64)
        again.publish_registry(Snapshot(4))
        again.publish(registry=4)
        await until(lambda: worker.snapshots == [1, 4])
        assert (9, 64) in worker.epochs and watcher.version == 4


async def test_a_version_already_in_force_is_not_fetched(redis_process: RedisServer, data: Dataset) -> None:
    """A worker that started from the last good file says so."""
    async with linked(redis_process.url) as link:
        worker = Worker()
        watcher = SnapshotWatcher(link, worker.on_snapshot, worker.on_epoch)
        watcher.version = 1
        watcher.start()
        await until(lambda: watcher.epoch == 7)
        await asyncio.sleep(POLL_EVERY_S)
        watcher.stop()
        assert worker.snapshots == []


async def test_a_full_disk_stops_no_registry(redis_process: RedisServer, data: Dataset, tmp_path: Path) -> None:
    async with watching(redis_process, tmp_path / "no such directory" / FILE_NAME) as (watcher, worker):
        await until(lambda: worker.snapshots == [1])
        await watcher.saved()
        assert watcher.save_errors == 1
        data.publish_registry(Snapshot(2))
        await until(lambda: worker.snapshots == [1, 2])


async def test_another_pseudonym_key_is_a_reason(redis_process: RedisServer, data: Dataset) -> None:
    client = redis_process.client()
    async with linked(redis_process.url) as link:
        worker = Worker()
        watcher = SnapshotWatcher(link, worker.on_snapshot, worker.on_epoch, key_check=b"0" * 16)
        watcher.start()
        await until(lambda: worker.epochs == {(7, 16)})
        assert watcher.key_reason == ""
        client.hset(layout.HEAD_KEY, layout.HEAD_KEYCHECK, b"1" * 16)
        await until(lambda: watcher.key_reason == "pseudonym key differs from the data set's")
        client.hset(layout.HEAD_KEY, layout.HEAD_KEYCHECK, b"0" * 16)
        await until(lambda: watcher.key_reason == "")
        watcher.stop()
