"""`callgate run`: the whole gateway from one command. Starts everything, says one line when it is ready,
drains.

Order up: embedded servers (where no URL is configured), keys, then workers, shipper and control at the
same time; control migrates the database and loads the example into an empty one. Order down: workers
(live transactions finish), shipper (ships the rest), control, servers. A second start finds everything
done and needs no network.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
import socket
import sys
import time

from gateway.settings import Settings, make_run_dir
from gateway.store.embedded.process import EmbeddedError
from gateway.store.embedded.servers import EmbeddedServers
from gateway.supervisor import KILL_GRACE_S, Child, StartError
from gateway.telemetry.logs import configure_logs, get_logger

READY_POLL_S = 0.05
SERVERS_POLL_S = 0.25
WAITING_NOTE_S = 10.0
"""How often we say what we still wait for."""
SHIP_GRACE_S = 10.0
CONTROL_GRACE_S = 5.0

_log = get_logger(__name__)


def run_gateway(settings: Settings) -> int:
    """Run until SIGINT or SIGTERM; the exit code. Errors at start go to stderr as one line."""
    started = time.monotonic()
    configure_logs(settings.log, "supervisor")
    servers = EmbeddedServers(settings.state_dir, redis=not settings.redis.url, postgres=not settings.database.url)
    try:
        make_run_dir(settings)
        found = servers.start()  # stops by itself what it began, if it fails
    except (EmbeddedError, PermissionError) as error:
        sys.stderr.write(f"callgate: {error}\n")
        return 1
    try:
        _check_ports(settings)
        settings = dataclasses.replace(
            settings,
            redis=dataclasses.replace(settings.redis, url=settings.redis.url or found.redis_url),
            database=dataclasses.replace(settings.database, url=settings.database.url or found.database_url),
        )
        _make_keys(settings)
        return asyncio.run(Gateway(settings, servers, started).run())
    except StartError as error:
        sys.stderr.write(f"callgate: {error}\n")
        return 1
    except KeyboardInterrupt:  # before the loop's own handler was there
        return 130
    finally:
        servers.stop()


def _check_ports(settings: Settings) -> None:
    """Say it here, with key and fix, when a SIP port cannot be had: a worker opens it late, when it has a
    registry."""
    for number, listener in enumerate(settings.listener, 1):
        family = socket.AF_INET6 if ":" in listener.address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind((listener.address, listener.port))
            except OSError as error:
                raise StartError(
                    f"listener[{number}].port = {listener.port}: cannot listen on {listener.address}:"
                    f"{listener.port}: {os.strerror(error.errno or 0)}; "
                    "fix: stop what holds it, or set another address or port"
                ) from None


def _make_keys(settings: Settings) -> None:
    """Before any child: two of them must not make the same file."""
    from gateway.keys import KeysError, load_or_create

    try:
        load_or_create(settings.keys_file)
    except KeysError as error:
        raise StartError(str(error)) from None


class Gateway:
    """The running parts of one node."""

    def __init__(self, settings: Settings, servers: EmbeddedServers, started: float) -> None:
        self._settings = settings
        self._servers = servers
        self._started = started
        self._ready = False
        self._failed = False
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._workers = [
            Child(f"worker-{index}", ("worker", str(index)), settings) for index in range(settings.node.workers)
        ]
        self._shipper = Child("shipper", ("shipper",), settings)
        self._control = Child("control", ("control",), settings)

    async def run(self) -> int:
        """Everything up, until told to stop, everything down. 0, or 1 when a part could not start."""
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if sign != signal.SIGHUP or signal.getsignal(sign) != signal.SIG_IGN:  # nohup(1) is respected
                loop.add_signal_handler(sign, self._told_to_stop)
        async with asyncio.TaskGroup() as tasks:
            keepers = [
                tasks.create_task(self._keep(child), name=child.name)
                for child in (*self._workers, self._shipper, self._control)
            ]
            watchers = [
                tasks.create_task(self._announce(), name="announce"),
                tasks.create_task(self._watch_servers(), name="watch servers"),
            ]
            await self._stop.wait()
            for task in watchers:
                task.cancel()
            await self._drain()
        failed = [task.result() for task in keepers if task.result()]
        for text in failed:
            sys.stderr.write(f"callgate: {text}\n")
        return 1 if failed else 0

    def _told_to_stop(self) -> None:
        """First signal: drain. Second: at once."""
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    async def _keep(self, child: Child) -> str:
        try:
            await child.keep(lambda: self._ready)
        except StartError as error:
            self._failed = True
            self._stop.set()
            return str(error)
        return ""

    async def _drain(self) -> None:
        grace = KILL_GRACE_S if self._failed else self._settings.node.drain_s + KILL_GRACE_S
        await asyncio.gather(*(worker.stop(grace, self._hurry) for worker in self._workers))
        await self._shipper.stop(SHIP_GRACE_S, self._hurry)
        await self._control.stop(CONTROL_GRACE_S, self._hurry)

    async def _announce(self) -> None:
        """One line when everything answers; until then, now and then, what is missing."""
        noted = time.monotonic()
        while True:
            code, body = await self._ask_ready()
            if code == 200:
                break
            if time.monotonic() - noted > WAITING_NOTE_S:
                noted = time.monotonic()
                _log.warning("still waiting", readyz=body or "control does not answer yet")
            await asyncio.sleep(READY_POLL_S)
        self._ready = True
        sys.stdout.write(self._ready_line() + "\n")
        sys.stdout.flush()

    def _ready_line(self) -> str:
        settings = self._settings
        sip = ", ".join(f"{item.transport} {item.address}:{item.port}" for item in settings.listener)
        seconds = time.monotonic() - self._started
        return (
            f"callgate is ready after {seconds:.1f} s: SIP {sip}; http://{_host(settings.http.address)}:"
            f"{settings.http.port}/ (/metrics /readyz); state in {settings.state_dir}. "
            "Try: callgate demo, callgate calls, callgate --help. Ctrl-C drains and stops."
        )

    async def _ask_ready(self) -> tuple[int, str]:
        """Status and body of our own /readyz; (0, "") while nothing answers there."""
        http = self._settings.http
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(2.0):
                reader, writer = await asyncio.open_connection(_local(http.address), http.port)
                writer.write(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
                answer = await reader.read(65_536)
        except (OSError, TimeoutError):
            return 0, ""
        finally:
            if writer is not None:
                writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        words = head.split(None, 2)
        if len(words) < 2 or not words[1].isdigit() or not _is_ours(body):
            return 0, ""
        return int(words[1]), body.decode("utf-8", "replace")

    async def _watch_servers(self) -> None:
        """Start embedded servers again when they have ended. Workers live without them meanwhile."""
        while True:
            await asyncio.sleep(SERVERS_POLL_S)
            for name in self._servers.dead():
                server = self._servers.redis if name == "redis" else self._servers.postgres
                if server is None:
                    continue
                _log.error("embedded server ended; starting it again", server=name)
                try:
                    server.begin()  # forks here, in the main thread: see EmbeddedServers.start
                    await asyncio.to_thread(server.await_ready)
                except (EmbeddedError, OSError) as error:
                    _log.error("embedded server did not start", server=name, error=str(error))


def _is_ours(body: bytes) -> bool:
    """Whether our own control answered, not somebody else who holds the port."""
    try:
        return bool(json.loads(body)["supervisor"] == os.getpid())
    except (ValueError, KeyError, TypeError):
        return False


def _local(address: str) -> str:
    """Where an address we listen on is reached from here."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address
