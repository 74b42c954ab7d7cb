"""Keeps processes alive: starts them, starts them again at once when they die, ends them in order.

Every child runs in its own session, so that Ctrl-C in the terminal reaches the supervisor alone and the
order of the drain is ours. A child that ends by itself before the gateway was ever ready has said why on
stderr, and stops the start; later a child is always started again.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from gateway.process import SETTINGS_VARIABLE, SOCKETS_VARIABLE, SUPERVISOR_VARIABLE
from gateway.settings import Settings
from gateway.telemetry.logs import get_logger

BACKOFF_FIRST_S = 0.1
BACKOFF_MAX_S = 5.0
STABLE_S = 5.0
"""A child that lived this long is started again without a pause; one that did not waits, twice as long
each time."""

KILL_GRACE_S = 3.0

_log = get_logger(__name__)


class StartError(Exception):
    """The gateway cannot be started; the text says what to do."""


class Child:
    """One process that is to run until it is stopped."""

    def __init__(
        self, name: str, arguments: Sequence[str], settings: Settings, groups: Sequence[Sequence[socket.socket]] = ()
    ) -> None:
        """`groups`: sockets it inherits (`net.group`)."""
        self.name = name
        self.starts = 0
        self.started = 0.0
        """When it was started last, on the loop's clock."""
        self._argv = [sys.executable, "-m", "gateway.child", *arguments]
        self._env = {
            **os.environ,
            SETTINGS_VARIABLE: settings.to_json().decode(),
            SUPERVISOR_VARIABLE: str(os.getpid()),
            SOCKETS_VARIABLE: ";".join(",".join(str(member.fileno()) for member in group) for group in groups),
        }
        self._descriptors = tuple(member.fileno() for group in groups for member in group)
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()

    @property
    def pid(self) -> int:
        """Process id while it runs, else 0."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else 0

    async def keep(self, settled: Callable[[], bool]) -> None:
        """Run it until `stop`. Raises StartError when it ends by itself before `settled()`."""
        clock = asyncio.get_running_loop().time
        backoff = 0.0
        while not self._stopping.is_set():
            started = clock()
            try:
                code = await self._run_once()
            except OSError as error:  # no memory, no process to be had: the others go on
                _log.error("child could not be started", child=self.name, error=str(error))
                code = -1
            if self._stopping.is_set():
                return
            if code > 0 and not settled():
                raise StartError(f"{self.name} could not start (exit {code}); the lines above say why")
            lived = clock() - started
            backoff = 0.0 if lived >= STABLE_S else min(max(backoff * 2, BACKOFF_FIRST_S), BACKOFF_MAX_S)
            pause = 0.0 if self.starts == 1 else backoff
            _log.error("child ended", child=self.name, code=code, lived_s=round(lived, 3), again_in_s=pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)

    async def _run_once(self) -> int:
        # From the main thread: PDEATHSIG is about the thread that forks (prctl(2)).
        self._process = await asyncio.create_subprocess_exec(
            *self._argv, env=self._env, stdin=asyncio.subprocess.DEVNULL, start_new_session=True,
            pass_fds=self._descriptors,
        )  # fmt: skip
        self.starts += 1
        self.started = asyncio.get_running_loop().time()
        if self._stopping.is_set():  # told to stop while it was being started
            self._signal(signal.SIGTERM)
        return await self._process.wait()

    async def stop(self, grace_s: float, hurry: asyncio.Event) -> None:
        """SIGTERM, wait; SIGKILL after `grace_s` seconds or as soon as `hurry` is set."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        self._signal(signal.SIGTERM)
        ended = asyncio.ensure_future(process.wait())
        hurried = asyncio.ensure_future(hurry.wait())
        await asyncio.wait((ended, hurried), timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        if not ended.done():
            _log.warning("child did not end in time and is killed", child=self.name)
            self._signal(signal.SIGKILL)
        await ended

    def kill(self) -> None:
        """End it at once; `keep` starts it again."""
        self._signal(signal.SIGKILL)

    def _signal(self, sign: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(sign)
