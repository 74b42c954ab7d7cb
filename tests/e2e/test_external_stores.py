"""The whole gateway on servers of its operator: a Redis Cluster of three masters and Debian's PostgreSQL.

`redis.url` and `database.url` are all that differs; calls, changes and failures are those of the embedded stores.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.gate.pseudonym import Pseudonymizer
from gateway.keys import load
from tests.support.evidence import read_records, wait_for
from tests.support.external_postgres import ExternalPostgres
from tests.support.gateway_process import PATIENT, GatewayProcess
from tests.support.redis_cluster import ClusterNode, RedisCluster
from tests.support.redis_server import RedisServer, binaries
from tests.support.telephony import CONSENTED, DECLINED, UNKNOWN, phones

CALLS = 10
OTHERS = [f"+8613700000{number:03d}" for number in range(12)]
"""With consent too: some of them at each master."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisCluster]:
    with RedisCluster(binaries()[-1]) as made:
        yield made


@pytest.fixture(scope="module")
def postgres() -> Iterator[ExternalPostgres]:
    with ExternalPostgres() as made:
        yield made


@pytest.fixture(scope="module")
def gateway(
    cluster: RedisCluster, postgres: ExternalPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    env = PATIENT | {"CALLGATE_REDIS__URL": cluster.url, "CALLGATE_DATABASE__URL": postgres.url}
    with GatewayProcess(tmp_path_factory.mktemp("external") / "state", env=env) as made:
        assert not [command for command in made.processes().values() if "redis-server" in command]
        path = made.state_dir.with_name("consents.csv")
        rows = "".join(f"{number},alpha,consultation,2024-01-01T00:00:00Z,,\n" for number in OTHERS)
        path.write_text("callee,operator,purpose,granted_at,expires_at,evidence_uri\n" + rows)
        imported = made.cli("import", "consents", str(path))
        assert imported.returncode == 0, imported.stdout + imported.stderr
        yield made


def holder(gateway: GatewayProcess, cluster: RedisCluster, number: str) -> ClusterNode:
    """Its master."""
    key = load(gateway.state_dir / "keys.json").pseudonym
    return cluster.master_of(Pseudonymizer(key).hash(number))


def test_a_redis_that_evicts_ends_the_start(tmp_path: Path, postgres: ExternalPostgres) -> None:
    directory = Path(tempfile.mkdtemp(prefix="cgr-"))
    with RedisServer(directory, settings=("--maxmemory-policy", "allkeys-lru")) as server:
        env = {"CALLGATE_REDIS__URL": server.url, "CALLGATE_DATABASE__URL": postgres.url}
        gateway = GatewayProcess(tmp_path / "state", env=env)
        process = gateway.spawn()
        try:
            assert process.wait(30) == 1
            assert "maxmemory-policy: allkeys-lru: set it to noeviction; fix: change the server" in gateway.output()
        finally:
            gateway.close()
    shutil.rmtree(directory, ignore_errors=True)


async def test_calls_and_changes(gateway: GatewayProcess) -> None:
    consent = ("--callee", OTHERS[0], "--operator", "alpha", "--purpose", "consultation")
    async with phones(gateway.sip_port) as telephony:
        for number in OTHERS:
            await telephony.until(200, number, 10)
        for _ in range(CALLS):
            assert (await telephony.outbound(CONSENTED)).status == 200
            assert (await telephony.outbound(UNKNOWN)).status == 470
            assert (await telephony.outbound(DECLINED)).status == 603
            assert (await telephony.inbound()).status == 200
        assert gateway.cli("consent", "revoke", *consent).returncode == 0
        assert await telephony.until(470, OTHERS[0], 2.0) < 2.0
        assert gateway.cli("consent", "grant", *consent).returncode == 0
        assert await telephony.until(200, OTHERS[0], 2.0) < 2.0
    explained = gateway.cli("explain", "--trunk", "cc-alpha", "--from", "+8657112340001", "--to", OTHERS[1])
    assert explained.returncode == 0, explained.stdout + explained.stderr
    assert gateway.get("/readyz")[0] == 200


async def test_one_master_away(gateway: GatewayProcess, cluster: RedisCluster) -> None:
    """Its callees get 503, everybody else's calls go on; a refusal on memory, inbound and emergency calls pass too. It
    comes back with nothing, and is filled by itself."""
    node = holder(gateway, cluster, CONSENTED)
    elsewhere = [number for number in OTHERS if holder(gateway, cluster, number) is not node]
    async with phones(gateway.sip_port) as telephony:
        node.kill()
        for number in (CONSENTED, *elsewhere[:4]):
            placed = await telephony.outbound(number)
            assert placed.status == (503 if number == CONSENTED else 200)
        assert (await telephony.inbound()).status == 200
        assert (await telephony.outbound("110")).status == 200
        assert (await telephony.outbound(CONSENTED, "+8657156780001")).status == 403
        assert gateway.get("/readyz")[0] == 200
        node.start()
        await telephony.until(200, CONSENTED, 15)
        assert {(await telephony.outbound(number)).status for number in OTHERS} == {200}
        assert (await telephony.outbound(UNKNOWN)).status == 470


async def test_postgresql_away(gateway: GatewayProcess, postgres: ExternalPostgres) -> None:
    before = await asyncio.to_thread(read_records, gateway)
    async with phones(gateway.sip_port) as telephony:
        postgres.stop()
        for _ in range(CALLS):
            assert (await telephony.outbound(CONSENTED)).status == 200
            assert (await telephony.outbound(UNKNOWN)).status == 470
        refused = gateway.cli("consent", "revoke", "--callee", CONSENTED, "--operator", "alpha", "--purpose", "x")
        assert refused.returncode != 0
        postgres.start()
        wanted = len(before.decisions) + 2 * CALLS, len(before.ends) + CALLS
        records = await asyncio.to_thread(wait_for, gateway, *wanted, 40.0)
        assert len(records.decisions) >= wanted[0] and len(records.ends) >= wanted[1]
        assert set(records.decisions.values()) == {1} and set(records.ends.values()) == {1}
