"""The embedded servers: start, second start, parent's death, leftovers, long paths, nothing outside the
state."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio

from gateway.store.embedded.postgres import EmbeddedPostgres
from gateway.store.embedded.process import EmbeddedError
from gateway.store.embedded.redis import EmbeddedRedis
from gateway.store.embedded.servers import EmbeddedServers, read_endpoints
from gateway.store.embedded.strays import working_in

HOLD = """
import sys, time
from gateway.store.embedded.servers import EmbeddedServers
servers = EmbeddedServers(sys.argv[1])
servers.start()
print(servers.redis.pid, servers.postgres.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="cgstate-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


def gone(pid: int, within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


async def test_first_and_second_start(state: Path) -> None:
    before = {path: path.stat().st_mode for path in state.parents}
    servers = EmbeddedServers(state)
    found = servers.start()
    assert read_endpoints(state) == found
    connection = await asyncpg.connect(found.database_url)
    await connection.execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
    assert int(await connection.fetchval("SHOW server_version_num")) >= 160000
    assert await connection.fetchval("SHOW listen_addresses") == ""
    await connection.close()
    async with redis.asyncio.from_url(found.redis_url) as client:
        assert (await client.config_get("maxmemory-policy"))["maxmemory-policy"] == "noeviction"
        assert (await client.config_get("port"))["port"] == "0"
        await client.set("gone", "1")
    pids = servers.redis.pid, servers.postgres.pid  # type: ignore[union-attr]
    assert servers.dead() == ()
    servers.stop()
    assert all(gone(pid) for pid in pids)
    assert read_endpoints(state) is None

    began = time.monotonic()
    again = EmbeddedServers(state)
    found = again.start()
    took = time.monotonic() - began
    try:
        assert took < 2.0
        connection = await asyncpg.connect(found.database_url)
        assert await connection.fetchval("SELECT n FROM kept") == 7
        await connection.close()
        async with redis.asyncio.from_url(found.redis_url) as client:
            assert await client.get("gone") is None
    finally:
        again.stop()
    assert {path: path.stat().st_mode for path in state.parents} == before


def test_a_second_gateway_on_the_same_state_is_refused(state: Path) -> None:
    servers = EmbeddedServers(state, postgres=False)
    servers.start()
    try:
        with pytest.raises(EmbeddedError, match="another gateway runs on"):
            EmbeddedServers(state).start()
        assert servers.dead() == ()
        assert read_endpoints(state) is not None
    finally:
        servers.stop()


def test_servers_die_with_a_killed_parent_and_the_next_start_works(state: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(state)], stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout is not None
        pids = [int(word) for word in holder.stdout.readline().split()]
        holder.kill()
    assert len(pids) == 2
    assert all(gone(pid) for pid in pids)
    servers = EmbeddedServers(state)
    servers.start()
    servers.stop()


@pytest.mark.parametrize("frozen", [False, True])
def test_a_leftover_redis_is_ended_first(state: Path, frozen: bool) -> None:
    left = EmbeddedRedis(state)
    left.start()
    pid = left.pid
    if frozen:
        os.kill(pid, signal.SIGSTOP)
    fresh = EmbeddedRedis(state)
    fresh.start()
    try:
        assert gone(pid)
        assert fresh.pid != pid
    finally:
        left.stop()
        fresh.stop()


def test_a_leftover_postgres_is_ended_first(state: Path) -> None:
    left = EmbeddedPostgres(state)
    left.start()
    pid = left.pid
    fresh = EmbeddedPostgres(state)
    fresh.start()
    try:
        assert gone(pid)
    finally:
        left.stop()
        fresh.stop()


@pytest.mark.parametrize("left_over", [False, True])
def test_a_frozen_postgres_leaves_nothing(state: Path, left_over: bool) -> None:
    """Stopped as it is, or left over and ended by the next start."""
    server = EmbeddedPostgres(state, durable=False)
    server.start()
    pids = working_in(server.data_dir)
    assert server.pid in pids and len(pids) > 3
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    fresh = EmbeddedPostgres(state, durable=False)
    if not left_over:
        server.stop()
        assert working_in(server.data_dir) == []
    fresh.start()
    assert time.monotonic() - began < 8
    fresh.stop()
    server.stop()
    assert all(gone(pid) for pid in pids)


def test_a_vanished_socket_counts_as_dead(state: Path) -> None:
    servers = EmbeddedServers(state, postgres=False)
    servers.start()
    try:
        assert servers.redis is not None and servers.dead() == ()
        servers.redis.socket_path.unlink()
        assert servers.dead() == ("redis",)
    finally:
        servers.stop()


def test_a_stale_pid_file_with_a_reused_pid_harms_nobody(state: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as bystander:
        (state / "run" / "redis.pid").write_text(f"{bystander.pid}\n")
        (state / "postgres" / "postmaster.pid").write_text(f"{bystander.pid}\n{state}/postgres\n")
        servers = EmbeddedServers(state)
        servers.start()
        servers.stop()
        assert bystander.poll() is None
        bystander.kill()


def test_a_long_path_moves_the_sockets_only(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    server = EmbeddedRedis(deep)
    server.start()
    try:
        made = server.socket_path.parent
        assert deep not in server.socket_path.parents
        assert stat.S_IMODE(made.stat().st_mode) == 0o700
        assert EmbeddedRedis(deep).url == server.url
    finally:
        server.stop()
        shutil.rmtree(made)


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("9\n")
    server = EmbeddedPostgres(tmp_path)
    with pytest.raises(EmbeddedError, match="postgres ended at start"):
        server.start()
    assert server.pid == 0
