"""Keeps in the background where the names among the next hops lead (RFC 3263): no call ever waits for the DNS.

Every name is drawn anew each second: that costs no query while its records' TTL lasts (`net.dns_cache`), and spreads
calls over what has equal priority by its weights. What cannot be found keeps the addresses it had, also over a restart.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from gateway.net.dns import ResolveError, Resolver
from gateway.net.locate import LocateError, Locator, Query
from gateway.net.tasks import Report, spawn
from gateway.proxy.selection import Target
from gateway.registry.model import Place
from gateway.settings import Dns
from gateway.telemetry.logs import get_logger
from gateway.worker.peers import AnyListener, Located

REDRAW_S = 1.0

MAX_NAMES = 128
"""Names looked up at once, below what the resolver takes (`net.dns.MAX_QUERIES`)."""

_log = get_logger(__name__)
_decoder = msgspec.json.Decoder(list[tuple[Place, list[Target]]])


class Locating:
    """The names of one worker. `on_change(located)` is told where they lead whenever that changed."""

    def __init__(
        self,
        settings: Dns,
        listeners: Iterable[AnyListener],
        file: Path,
        on_change: Callable[[Located], None],
        on_error: Report,
    ) -> None:
        listeners = tuple(listeners)
        self._settings = settings
        self._ipv4 = any(not listener.ipv6 for listener in listeners)
        self._ipv6 = any(listener.ipv6 for listener in listeners)
        self._transports = tuple(dict.fromkeys(listener.transport for listener in listeners))
        self._file = file
        self._on_change = on_change
        self._on_error = on_error
        self._locator: Locator | None = None
        self._names: frozenset[Place] = frozenset()
        self._failing: set[Place] = set()
        self._task: asyncio.Task[None] | None = None
        self.located: dict[Place, tuple[Target, ...]] = _read(file)

    def follow(self, names: frozenset[Place]) -> None:
        """These are the names, from now on."""
        self._names = names
        if names and self._task is None:
            self._task = spawn(self._run(), "next hop names", self._on_error)

    def stop(self) -> None:
        """No more look-ups."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while True:
            await self.refresh()
            await asyncio.sleep(REDRAW_S)

    async def refresh(self) -> None:
        """Look at every name once."""
        names = sorted(self._names)
        before = dict(self.located)
        for at in range(0, len(names), MAX_NAMES):
            await asyncio.gather(*(self._locate(name) for name in names[at : at + MAX_NAMES]))
        for gone in [name for name in self.located if name not in self._names]:
            del self.located[gone]
        if self.located != before:
            self._on_change(self.located)
            if {name: set(found) for name, found in self.located.items()} != {k: set(v) for k, v in before.items()}:
                self._write()

    async def _locate(self, name: Place) -> None:
        host, port, transport = name
        try:
            found = await self._made().locate(Query(host, port, transport))
        except (LocateError, ResolveError) as error:
            if name not in self._failing:
                self._failing.add(name)
                _log.warning("a next hop's name cannot be located", reason=str(error), kept=len(self._kept(name)))
            return
        if name in self._failing:
            self._failing.discard(name)
            _log.warning("a next hop's name is located again", name=host)
        self.located[name] = found

    def _kept(self, name: Place) -> tuple[Target, ...]:
        return self.located.get(name, ())

    def _made(self) -> Locator:
        if self._locator is None:
            dns = self._settings
            resolver = Resolver(self._on_error, dns.nameservers, dns.port, dns.timeout_ms / 1000)
            families = self._ipv4, self._ipv6
            self._locator = Locator(resolver, self._transports, *families, lambda most: random.randint(0, most))
        return self._locator

    def _write(self) -> None:
        fresh = self._file.with_name(f"{self._file.name}.{os.getpid()}")  # every worker writes it
        try:
            fresh.write_bytes(msgspec.json.encode(list(self.located.items())))
            os.replace(fresh, self._file)
        except OSError as error:
            _log.warning("where next hops' names lead could not be kept", reason=str(error))


def _read(file: Path) -> dict[Place, tuple[Target, ...]]:
    try:
        return {name: tuple(targets) for name, targets in _decoder.decode(file.read_bytes())}
    except (OSError, msgspec.MsgspecError):
        return {}
