"""What the supervisor keeps an eye on besides its children's lives: embedded servers that ended or lost their socket,
and workers that live but do not answer.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gateway.control.repeats import Repeats
from gateway.store.embedded.postgres import EmbeddedPostgres
from gateway.store.embedded.process import EmbeddedError
from gateway.store.embedded.redis import EmbeddedRedis
from gateway.store.embedded.servers import EmbeddedServers
from gateway.supervisor import Child
from gateway.telemetry.logs import get_logger
from gateway.telemetry.stats_socket import is_alive

NAMES = ("redis", "postgres")
SERVERS_POLL_S = 1.0
"""How soon it is seen that a server lost its socket; that it ended is seen at once."""
BACKOFF_FIRST_S = 0.25
BACKOFF_MAX_S = 5.0
STABLE_S = 30.0
"""A server that ran this long is started again without a pause; else the pause doubles each time."""

ASK_EVERY_S = 1.0
HUNG_S = 5.0
"""A worker answers in well under a millisecond; one silent for so long takes no calls either."""
YOUNG_S = 10.0
"""Not before this age,"""
START_S = 30.0
"""nor before this one where it has not answered yet: it may still be reading its journal back."""

_log = get_logger(__name__)


class ServerWatch:
    """Starts embedded servers again. Workers live without them meanwhile."""

    def __init__(self, servers: EmbeddedServers, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds."""
        self._servers = servers
        self._clock = clock
        self._repeats = Repeats(clock)
        self._pause: dict[str, float] = {}
        self._begun: dict[str, float] = {}
        self._next: dict[str, float] = {}

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:  # one that is slow to start must not delay the other
            for name in NAMES:
                if self._server(name) is None:
                    continue
                tasks.create_task(self._keep(name), name=f"watch {name}")

    async def _keep(self, name: str) -> None:
        while True:
            server = self._server(name)
            await _end_of(server.pid if server is not None else 0)
            await self.look(name)

    async def look(self, name: str) -> None:
        """Start it if that is to be done now."""
        if name not in self._servers.dead() or self._clock() < self._next.get(name, 0.0):
            return
        if name not in self._begun or self._clock() - self._begun[name] >= STABLE_S:
            self._pause[name] = 0.0
        if self._repeats.due(name):
            _log.error("embedded server ended or lost its socket; starting it again", server=name)
        await self._start(name)
        self._begun[name] = self._clock()
        self._pause[name] = min(max(2 * self._pause[name], BACKOFF_FIRST_S), BACKOFF_MAX_S)
        self._next[name] = self._begun[name] + self._pause[name]

    def _server(self, name: str) -> EmbeddedRedis | EmbeddedPostgres | None:
        return self._servers.redis if name == "redis" else self._servers.postgres

    async def _start(self, name: str) -> None:
        server = self._server(name)
        if server is None:
            return
        try:
            await asyncio.to_thread(server.stop)  # it may run still, without its socket
            server.begin()  # forks here, in the main thread: see EmbeddedServers.start
            await asyncio.to_thread(server.await_ready)
            self._servers.announce()
        except (EmbeddedError, OSError) as error:
            # The end of a log, behind the semicolon, has times in it.
            if self._repeats.due(name, type(error).__name__, str(error).partition(";")[0]):
                _log.error("embedded server did not start", server=name, error=str(error))


async def _end_of(pid: int) -> None:
    """Return when process `pid` has ended, after SERVERS_POLL_S at the latest; sooner where it is not there."""
    try:
        if not pid:
            raise ProcessLookupError
        ending = os.pidfd_open(pid)
    except OSError:  # gone, or a kernel before 5.3
        await asyncio.sleep(BACKOFF_FIRST_S)
        return
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    try:
        loop.add_reader(ending, ended.set)
        with suppress(TimeoutError):
            async with asyncio.timeout(SERVERS_POLL_S):
                await ended.wait()
    finally:
        loop.remove_reader(ending)
        os.close(ending)


async def watch_worker(
    child: Child, socket: Path, hung_s: float = HUNG_S, young_s: float = YOUNG_S, every_s: float = ASK_EVERY_S
) -> None:
    """Until cancelled: SIGKILL, so that it is started anew, to a worker that runs and does not answer on `socket`."""
    clock = asyncio.get_running_loop().time
    pid, heard, asked, answered = 0, 0.0, clock(), False
    while True:
        await asyncio.sleep(every_s)
        if clock() - asked > 2 * every_s + hung_s or child.pid != pid:  # another process, or we were stopped ourselves
            heard, answered = clock(), answered and child.pid == pid
            pid = child.pid
        asked = clock()
        if not pid:
            continue
        if await is_alive(socket, every_s):
            heard, answered = clock(), True
        silent, age = clock() - heard, clock() - child.started
        if pid == child.pid and silent >= hung_s and age >= (young_s if answered else START_S):
            _log.error("worker does not answer and is killed", child=child.name, pid=pid, silent_s=round(silent, 1))
            child.kill()
