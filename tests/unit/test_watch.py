"""Servers are started again with growing pauses and few words; a worker that hangs is killed, one that answers not."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.settings import Settings
from gateway.store.embedded.process import EmbeddedError
from gateway.store.embedded.redis import EmbeddedRedis
from gateway.store.embedded.servers import EmbeddedServers
from gateway.supervisor import Child
from gateway.telemetry.metrics import WorkerStats
from gateway.telemetry.stats_socket import serve_stats
from gateway.watch import BACKOFF_FIRST_S, BACKOFF_MAX_S, ServerWatch, watch_worker


class _NeverStarts(EmbeddedRedis):
    tries = 0

    def begin(self) -> None:
        self.tries += 1
        raise EmbeddedError(f"redis-server ended at start (exit 1); its log ends: {self.tries}")


async def test_a_server_that_does_not_start_is_tried_less_and_less_and_said_once_a_minute(tmp_path: Path) -> None:
    now = 1_000.0
    servers = EmbeddedServers(tmp_path, postgres=False)
    redis = servers.redis = _NeverStarts(tmp_path)
    watch = ServerWatch(servers, lambda: now)
    pauses: list[float] = []
    with capture_logs() as logs:
        tried_at = now
        while now < 1_059.0:
            tries = redis.tries
            await watch.look("redis")
            if redis.tries > tries:
                pauses.append(now - tried_at)
                tried_at = now
            now += 0.125
    assert [entry["event"] for entry in logs] == [
        "embedded server ended or lost its socket; starting it again", "embedded server did not start",
    ]  # fmt: skip
    assert pauses[1:6] == [BACKOFF_FIRST_S, 0.5, 1.0, 2.0, 4.0]
    assert set(pauses[6:]) == {BACKOFF_MAX_S}


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()


class _Child(Child):
    """A process of the test's own in place of a worker."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__("worker-0", ("worker", "0"), Settings())
        self._sleeper = process
        self.started = -1_000.0

    @property
    def pid(self) -> int:
        return self._sleeper.pid if self._sleeper.poll() is None else 0

    def kill(self) -> None:
        self._sleeper.kill()


async def test_a_worker_is_killed_when_it_answers_no_more(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    server = await serve_stats(tmp_path / "w", WorkerStats(0).snapshot)
    watching = asyncio.ensure_future(watch_worker(_Child(sleeper), tmp_path / "w", 0.15, 0.0, 0.02))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(watching), 0.4)
    assert sleeper.poll() is None
    (tmp_path / "w").unlink()
    assert await asyncio.to_thread(sleeper.wait, 5) != 0
    watching.cancel()
    server.close()
    await server.wait_closed()
