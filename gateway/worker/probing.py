"""Which next hops are down, in every worker of a node: one asks them (`proxy.prober`), the others read what it found.

Its findings stand in a small file in the run directory: a worker that was killed knows at once what is down, the one
that probes too, and nothing depends on which of them lives. A start of the whole node begins with every hop up.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Protocol

import msgspec

from gateway.net.edge import Edge
from gateway.net.share import share_of
from gateway.proxy.peer import Destination, Hop
from gateway.proxy.probe import ProbeSettings
from gateway.proxy.prober import Prober
from gateway.settings import Settings
from gateway.telemetry.logs import get_logger
from gateway.transaction.layer import TransactionLayer
from gateway.worker.peers import PeerBook

READ_EVERY_S = 0.2
"""How often the other workers look at the file: one stat(2), a few microseconds."""

_log = get_logger(__name__)
_decoder = msgspec.json.Decoder(list[str])


class Probing(Protocol):
    """What a worker has of it."""

    def follow(self, hops: Iterable[Hop]) -> None:
        """These are the next hops to be probed, from now on."""
        ...

    def stop(self) -> None:
        """No more probes."""
        ...


def probed_hops(book: PeerBook, settings: Settings) -> list[Hop]:
    """The hops that are to be probed, as the settings say."""
    probe = settings.probe
    if not probe.enabled:
        return []
    core = [peer for peer in book.peers.values() if not peer.access]
    choices = sum(len(peer.hops) for peer in core)
    found: list[Hop] = []
    for peer in book.peers.values():
        # A call that finds one core trunk down may leave by another.
        alone = (len(peer.hops) if peer.access else choices) < 2
        if peer.id not in probe.skip_trunks and (probe.single_hops or not alone):
            found += peer.hops
    return found


def probing_of(
    settings: Settings,
    index: int,
    loop: asyncio.AbstractEventLoop,
    layer: TransactionLayer,
    edge: Edge,
    on_error: Callable[[BaseException], None],
) -> Probing:
    """Worker 0 asks, the others read."""
    if index > 0:
        return Reader(settings.peers_file, loop)
    return Asker(settings, loop, layer, edge, on_error)


class Asker:
    """The worker that probes."""

    def __init__(
        self,
        settings: Settings,
        loop: asyncio.AbstractEventLoop,
        layer: TransactionLayer,
        edge: Edge,
        on_error: Callable[[BaseException], None],
    ) -> None:
        probe = settings.probe
        times = ProbeSettings(probe.interval_ms / 1000, probe.timeout_ms / 1000, probe.down_after, probe.up_after)
        workers = settings.node.workers
        self._loop = loop
        self._edge = edge
        self._on_error = on_error
        self._file = settings.peers_file
        self._timer: asyncio.TimerHandle | None = None
        self._prober = Prober(
            layer, times, os.urandom(32), random.random, self._changed, lambda call_id: share_of(call_id, workers) == 0
        )

    def follow(self, hops: Iterable[Hop]) -> None:
        """See `Probing`."""
        hops = tuple(hops)
        down = read_down(self._file)
        for hop in hops:
            hop.up = hop.up and hop.destination.name not in down
        self._prober.follow(hops, monotonic())
        self._write()
        self._arm()

    def stop(self) -> None:
        """See `Probing`. The file stays: a worker that comes back begins with it."""
        if self._timer is not None:
            self._timer.cancel()
        self._prober.stop()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at = self._prober.next_at
        if at != float("inf"):
            self._timer = self._loop.call_later(max(at - monotonic(), 0.0), self._due)

    def _due(self) -> None:
        now = monotonic()
        if not self._edge.reading:  # nothing that is asked now would be heard
            self._timer = self._loop.call_later(READ_EVERY_S, self._due)
            return
        try:
            self._prober.tick(now)
        except Exception as error:  # calls go on, and so do the other probes
            self._on_error(error)
        self._edge.end_turn(now)
        self._arm()

    def _changed(self, destination: Destination, up: bool) -> None:
        if up:
            _log.warning("next hop answers again: it gets calls", peer=destination.name)
        else:
            _log.warning("next hop does not answer: calls skip it", peer=destination.name)
        self._write()

    def _write(self) -> None:
        down = sorted(self._prober.down())
        fresh = self._file.with_suffix(".new")
        try:
            if read_down(self._file) != frozenset(down):
                fresh.write_bytes(msgspec.json.encode(down))
                os.replace(fresh, self._file)
        except OSError as error:
            _log.error("other workers cannot be told which next hops are down", reason=str(error))


class Reader:
    """A worker that does not probe."""

    def __init__(self, file: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._file = file
        self._loop = loop
        self._hops: tuple[Hop, ...] = ()
        self._seen = (-1, -1)
        self._timer: asyncio.TimerHandle | None = None

    def follow(self, hops: Iterable[Hop]) -> None:
        """See `Probing`."""
        self._hops = tuple(hops)
        self._seen = (-1, -1)
        if self._timer is not None:
            self._timer.cancel()
        self._look()

    def stop(self) -> None:
        """See `Probing`."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = self._loop.call_later(READ_EVERY_S, self._look)
        seen = (0, 0)
        with suppress(OSError):
            found = os.stat(self._file)
            seen = (found.st_ino, found.st_mtime_ns)
        if seen != self._seen:
            self._seen = seen
            down = read_down(self._file)
            for hop in self._hops:
                hop.up = hop.destination.name not in down


def read_down(file: Path) -> frozenset[str]:
    """`Destination.name` of the next hops that are down; none where there is no such file."""
    try:
        return frozenset(_decoder.decode(file.read_bytes()))
    except (OSError, msgspec.MsgspecError):
        return frozenset()
