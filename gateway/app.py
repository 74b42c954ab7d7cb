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
import errno
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from gateway.compiled import FLAVOUR
from gateway.first_certificate import ensure_certificate
from gateway.first_keys import ensure_keys
from gateway.keys import KeysError
from gateway.net.group import Group, bind_groups
from gateway.net.tls import TlsContexts, TlsError
from gateway.readiness import ask_ready, database_is_away, to_import
from gateway.settings import Settings, make_run_dir
from gateway.store.embedded.process import EmbeddedError
from gateway.store.embedded.servers import EmbeddedServers
from gateway.supervisor import KILL_GRACE_S, Child, StartError
from gateway.telemetry.logs import configure_logs, get_logger
from gateway.watch import ServerWatch, watch_worker
from gateway.worker.streams import tls_files

READY_POLL_S = 0.05
WAITING_NOTE_S = 10.0
"""How often we say what we still wait for."""
SHIP_GRACE_S = 10.0
CONTROL_GRACE_S = 5.0
AWAY_GRACE_S = 1.5
"""Either of them while the database is away."""

_log = get_logger(__name__)


def run_gateway(settings: Settings, typed: Callable[[str], str] = "callgate {}".format) -> int:
    """Run until SIGINT or SIGTERM; the exit code. Errors at start go to stderr as one line. `typed`: a command of
    ours (`demo`) as it can be typed, for the ready line."""
    started = time.monotonic()
    ran = False
    configure_logs(settings.log, "supervisor")
    servers = EmbeddedServers(settings.state_dir, redis=not settings.redis.url, postgres=not settings.database.url)
    try:
        make_run_dir(settings)
        _make_keys(settings)
        ensure_certificate(settings)
        found = servers.start()  # stops by itself what it began, if it fails
    except (EmbeddedError, StartError) as error:
        sys.stderr.write(f"callgate: {error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"callgate: {_no_state(settings, error)}\n")
        return 1
    try:
        for since_start in (settings.counters_file, settings.peers_file):
            with suppress(OSError):
                since_start.unlink()
        _check_ports(settings)
        _check_certificates(settings)
        groups = _bind(settings) if settings.node.workers > 1 else []
        settings = dataclasses.replace(
            settings,
            redis=dataclasses.replace(settings.redis, url=settings.redis.url or found.redis_url),
            database=dataclasses.replace(settings.database, url=settings.database.url or found.database_url),
        )
        ran = True
        return asyncio.run(Gateway(settings, servers, started, typed, groups).run())
    except StartError as error:
        sys.stderr.write(f"callgate: {error}\n")
        return 1
    except KeyboardInterrupt:  # before the loop's own handler was there
        return 130
    finally:
        servers.stop()
        if ran:
            _say("callgate stopped")


def _say(line: str) -> None:
    """One line to the person at the terminal; logs go to stderr."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _check_ports(settings: Settings) -> None:
    """Say it here, with key and fix, when a SIP port cannot be had: a worker opens it late, when it has a
    registry."""
    for number, listener in enumerate(settings.listener, 1):
        family = socket.AF_INET6 if ":" in listener.address else socket.AF_INET
        kind = socket.SOCK_DGRAM if listener.transport == "udp" else socket.SOCK_STREAM
        with socket.socket(family, kind) as probe:
            if kind == socket.SOCK_STREAM:  # connections of the run before may still be in TIME_WAIT
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((listener.address, listener.port))
            except OSError as error:
                raise StartError(
                    f"listener[{number}].port = {listener.port}: cannot listen on {listener.transport} "
                    f"{listener.address}:{listener.port}: {os.strerror(error.errno or 0)}; "
                    "fix: stop what holds it, or set another address or port"
                ) from None


def _check_certificates(settings: Settings) -> None:
    """Say it here when a certificate cannot be used: a worker would end again and again."""
    for number, listener in enumerate(settings.listener, 1):
        if listener.transport == "tls":
            try:
                TlsContexts(tls_files(settings, listener), lambda error: None)
            except TlsError as error:
                raise StartError(f"listener[{number}].certificate: {error}") from None


def _bind(settings: Settings) -> list[Group]:
    """The sockets that several workers share."""
    try:
        addresses = [(item.address, item.port) for item in settings.listener if item.transport == "udp"]
        groups, reach = bind_groups(addresses, settings.node.workers)
    except OSError as error:
        raise StartError(
            f"node.workers = {settings.node.workers}: cannot open a socket for each: {error.strerror}; "
            "fix: stop what holds the port, or set fewer"
        ) from None
    if not reach:
        _log.warning("the kernel does not steer datagrams to workers; they hand them to each other, at some cost")
    return groups


def _make_keys(settings: Settings) -> None:
    """Before any child and before a database is made: two must not make the same file, and a start that is cut off
    must not leave a database without it."""
    try:
        ensure_keys(settings)
    except KeysError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EROFS, errno.EDQUOT):
            raise cause from None
        raise StartError(str(error)) from None


def _no_state(settings: Settings, error: OSError) -> str:
    """One line on a state directory that cannot be used."""
    if error.errno is None:  # a text of our own
        return str(error)
    place = error.filename or settings.state_dir
    return (
        f"node.state_dir = {settings.node.state_dir!r}: {place}: {os.strerror(error.errno)}; "
        "fix: make it a directory this user can write to, with room on its disk, or set another"
    )


class Gateway:
    """The running parts of one node."""

    def __init__(
        self,
        settings: Settings,
        servers: EmbeddedServers,
        started: float,
        typed: Callable[[str], str],
        groups: Sequence[Group] = (),
    ) -> None:
        """`groups`: the SIP sockets of the workers, where these share an address."""
        self._settings = settings
        self._servers = servers
        self._started = started
        self._typed = typed
        self._ready = False
        self._failed = False
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._workers = [
            Child(f"worker-{index}", ("worker", str(index)), settings, groups) for index in range(settings.node.workers)
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
                tasks.create_task(ServerWatch(self._servers).run(), name="watch servers"),
                *(
                    tasks.create_task(watch_worker(child, self._settings.worker_socket(index)), name="watch worker")
                    for index, child in enumerate(self._workers)
                ),
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
        else:
            _say(
                f"callgate is draining: calls in set-up get {self._settings.node.drain_s:g} s to finish, evidence is "
                "shipped; Ctrl-C again stops at once"
            )
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
        # Where the database is away nothing can be shipped: it waits in the journals, on disk.
        away = database_is_away((await ask_ready(self._settings.http))[1])
        await self._shipper.stop(AWAY_GRACE_S if away else SHIP_GRACE_S, self._hurry)
        await self._control.stop(AWAY_GRACE_S if away else CONTROL_GRACE_S, self._hurry)

    async def _announce(self) -> None:
        """One line when everything answers; until then, now and then, what is missing. What only an import can mend
        is said at once."""
        noted = time.monotonic()
        told = ""
        while True:
            code, body = await ask_ready(self._settings.http)
            if code == 200:
                break
            wanted = to_import(body)
            if wanted and wanted != told and not self._settings.example.directory:
                told = wanted
                _say(f"callgate is up and takes no calls yet: {wanted}")
            if time.monotonic() - noted > WAITING_NOTE_S:
                noted = time.monotonic()
                _log.warning("still waiting", readyz=body or "control does not answer yet")
            await asyncio.sleep(READY_POLL_S)
        self._ready = True
        _say(self._ready_line())

    def _ready_line(self) -> str:
        settings = self._settings
        sip = ", ".join(f"{item.transport} {_host(item.address)}:{item.port}" for item in settings.listener)
        seconds = time.monotonic() - self._started
        return (
            f"callgate is ready after {seconds:.1f} s ({FLAVOUR}): SIP {sip}; http://{_host(settings.http.address)}:"
            f"{settings.http.port}/ (/metrics /readyz); state in {settings.state_dir}. "
            f"Try: {self._typed('demo')}, {self._typed('calls')}, {self._typed('--help')}. Ctrl-C drains and stops."
        )


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address
