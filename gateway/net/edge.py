"""The asyncio edge of a worker: sockets in, the proxy core, evidence committed, sockets out, one timer.

A *turn* is what one wake-up of the loop brings: a burst of datagrams, the replies of the store, timers. Nothing is sent
inside a turn. At its end `before_send` writes the evidence of everything decided in it, and only then do the messages
leave (DESIGN §1).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from errno import EMSGSIZE, ENOBUFS, ENOMEM
from time import monotonic, time
from typing import Any, Final

from gateway.net.handover import Handover
from gateway.net.lag import Lag
from gateway.net.links import Links
from gateway.net.parcels import Parcel
from gateway.net.ports import Core
from gateway.net.stream_edge import StreamEdge
from gateway.net.udp import LOOK_EVERY, UdpListener
from gateway.proxy.peer import Peer, Source
from gateway.transaction.destination import Destination
from gateway.transaction.timers import NEVER, TimerQueue

BURST: Final = 32
"""Datagrams taken from one socket before other sockets, replies and timers get their turn."""

MAX_DATAGRAM: Final = 65_535
MAX_SOURCES = 20_000
"""Source addresses remembered per listener and registry version; only addresses of known peers are."""

TICK: Final = 0.005
"""Seconds a timer may be late: several timers then share one wake-up."""

ABOUT_MESSAGE: Final = frozenset((EMSGSIZE, ENOBUFS, ENOMEM))
"""Errors of sendto that say nothing about the destination: one message that is too long for a datagram must not fail
every transaction that waits for the same hop."""

Identify = Callable[[str, str, int, str, tuple[str, ...]], Peer | None]
"""(listener name, source IP, source port, transport, identities of the client certificate) to the peer, or None for a
stranger. One who may log in is a peer that is `unproven`."""


class Edge:
    """One worker's sockets and its clock. `handover`: to the other workers on the same addresses, if there are any;
    `streams`: its TCP and TLS listeners."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listeners: Sequence[UdpListener],
        identify: Identify,
        on_error: Callable[[BaseException], None],
        handover: Handover | None = None,
        streams: StreamEdge | None = None,
    ) -> None:
        self._loop = loop
        self.streams = streams
        self.listeners = tuple(listeners)
        self._identify = identify
        self.before_send: Callable[[float], None] = lambda now: None
        """Told at the end of each turn, before anything leaves."""
        self._on_error = on_error
        self._out: list[tuple[Destination, bytes]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._armed = NEVER
        self._core: Core | None = None
        self._timers: TimerQueue | None = None
        """The core's: as long as messages are taken and sent."""
        self._in_turn = False
        self._woken = False
        self._links: Links | None = None
        if handover is not None:
            self._links = Links(loop, handover, self._handed, self._read, self._read_for)
        self.on_greeted: Callable[[], None] = lambda: None
        """Told before the first message is read, when the other workers have said which calls they have."""
        self.strangers = 0
        """Datagrams of unknown sources, which get no answer at all."""
        self.send_errors = 0
        self.received = 0
        self.reading = False
        """True once datagrams are read."""
        self.lag = Lag()
        """How long messages wait before they are read."""

    def start(self, core: Core) -> None:
        """Begin to read."""
        self._core = core
        self._timers = core.layer.timers
        core.epoch_offset = time() - monotonic()
        if self._links is not None:
            self._links.open()  # first the others tell which calls they have
        else:
            self._read()

    def _read(self) -> None:
        if self._core is not None:
            self.on_greeted()
            self.reading = True
            for number, listener in enumerate(self.listeners):
                self._loop.add_reader(listener.socket.fileno(), self._readable, listener, number, listener.socket)
            if self.streams is not None:
                self.streams.start(self, self._core, self._loop)

    def _read_for(self, share: int, begin: bool) -> None:
        """Begin or end to read what the kernel gives to a worker that is away."""
        for number, listener in enumerate(self.listeners):
            other = listener.group[share] if listener.group else None
            if other is not None and begin:
                self._loop.add_reader(other.fileno(), self._readable, listener, number, other)
            elif other is not None:
                self._loop.remove_reader(other.fileno())

    def stop(self) -> None:
        """Stop reading and close the sockets. What is still to be sent is dropped."""
        self._core = None
        self._timers = None
        if self._timer is not None:
            self._timer.cancel()
        if self._links is not None:
            self._links.close()
        if self.streams is not None:
            self.streams.stop()
        for listener in self.listeners:
            self._loop.remove_reader(listener.socket.fileno())
            self._loop.remove_writer(listener.socket.fileno())
            for other in listener.group:
                self._loop.remove_reader(other.fileno())
            listener.close()

    def forget_sources(self) -> None:
        """A new registry version: every source is identified anew."""
        for listener in self.listeners:
            listener.sources.clear()
        if self.streams is not None:
            self.streams.forget_sources()

    def send(self, destination: Destination, data: bytes) -> None:
        """Queue a message for the end of this turn."""
        self._out.append((destination, data))

    # -- turns -----------------------------------------------------------------------------------------------------

    def begin_turn(self) -> None:
        """Something follows that `end_turn` ends: messages of a connection, replies of the store."""
        self._in_turn = True

    def _readable(self, listener: UdpListener, number: int, sock: socket.socket) -> None:
        core = self._core
        if core is None:
            return
        self._in_turn = True
        now = monotonic()
        looks = listener.lone >= LOOK_EVERY
        taken = 0
        while taken < BURST and self._datagram(core, listener, number, sock, now):
            taken += 1
            looks = looks or self.lag.at(now) > 0.0  # what had to wait may not be alone
            if not looks:
                listener.lone += 1
                break
        if looks and taken < 2:
            listener.lone = 0
        self.end_turn(now)

    def _datagram(self, core: Core, listener: UdpListener, number: int, sock: socket.socket, now: float) -> bool:
        """Take one. False: there was none."""
        try:
            if self.lag.due(sock, now):
                data, address = self.lag.receive(sock, MAX_DATAGRAM, now)
            else:
                data, address = sock.recvfrom(MAX_DATAGRAM)
        except (BlockingIOError, InterruptedError):
            self.lag.emptied(sock, now)
            return False
        except OSError:
            self.send_errors += 1  # an ICMP error of an earlier datagram
            return True
        self.received += 1
        try:
            source = listener.sources.get(address) or self._source(listener, address)
            if source is None:
                self.strangers += 1
            elif self._links is None or not self._links.handover.give(data, number, address[0], address[1], now):
                core.receive(data, source, now)
        except Exception as error:  # one message must not stop the others
            self._on_error(error)
        return True

    def _handed(self, parcels: list[Parcel], now: float) -> None:
        self._in_turn = True
        self._take(parcels, now)
        self.end_turn(now)

    def _take(self, parcels: list[Parcel], now: float) -> None:
        core = self._core
        if core is None:
            return
        for number, host, port, data in parcels:
            try:
                listener = self.listeners[number]
                source = listener.sources.get((host, port)) or self._source(listener, (host, port))
                if source is not None:  # else its trunk was taken from the registry meanwhile
                    core.receive(data, source, now)
            except Exception as error:  # one message must not stop the others
                self._on_error(error)

    def _source(self, listener: UdpListener, address: Any) -> Source | None:
        """`address`: as the socket gives it; an IPv6 one has four parts, of which two count."""
        host: str = address[0]
        port: int = address[1]
        peer = self._identify(listener.name, host, port, "udp", ())
        if peer is None:
            return None
        source = Source(peer, host.encode(), port, listener.destination(host, port))
        if peer.unproven:  # not remembered: anybody can make up any number of these
            return source
        if len(listener.sources) >= MAX_SOURCES:
            listener.sources.clear()
        listener.sources[address] = source
        return source

    def end_turn(self, now: float) -> None:
        """Write the evidence, send what is to be sent, set the timer."""
        self._in_turn = True
        links = self._links
        if links is not None:
            self._take(links.flush(now), now)
        try:
            self.before_send(now)
        except Exception as error:  # what other messages of this turn queued still leaves
            self._on_error(error)
        self._in_turn = False
        if links is not None:
            links.tell(now)
        timers = self._timers
        if timers is None:
            self._out.clear()
            return
        if self._out:
            self._send_all()
        if timers.earliest < self._armed:
            self._arm(timers.earliest, now)

    def _send_all(self) -> None:
        out, self._out = self._out, []
        failed: list[Destination] = []
        for destination, data in out:
            listener = destination.listener
            try:
                if not isinstance(listener, UdpListener):
                    listener.send(data, destination.address)
                elif not listener.send(data, destination.address) and not listener.writing:
                    listener.writing = True
                    self._loop.add_writer(listener.socket.fileno(), self._writable, listener)
            except OSError as error:
                self.send_errors += 1
                if error.errno not in ABOUT_MESSAGE and destination not in failed:
                    failed.append(destination)
        for destination in failed:
            self.failed(destination)

    def failed(self, destination: Destination) -> None:
        """Nothing reaches this destination now: a turn of its own tells the transactions that wait for it."""
        self._loop.call_soon(self._failed, destination)

    def wake(self) -> None:
        """Something is to be sent that no datagram and no timer brought: end a turn soon."""
        if not self._in_turn and not self._woken:
            self._woken = True
            self._loop.call_soon(self._woken_turn)

    def _woken_turn(self) -> None:
        self._woken = False
        self.end_turn(monotonic())

    def _arm(self, at: float, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed = at
        self._timer = self._loop.call_later(max(at - now, 0.0) + TICK, self._timers_due)

    def _timers_due(self) -> None:
        self._timer = None
        armed, self._armed = self._armed, NEVER
        core = self._core
        if core is None:
            return
        self._in_turn = True
        now = monotonic()
        self.lag.timer(now - armed - TICK, now)
        core.epoch_offset = time() - now  # follows a clock that was set
        try:
            core.expire(now)
        except Exception as error:
            self._on_error(error)
        self.end_turn(now)

    def _writable(self, listener: UdpListener) -> None:
        if listener.drain():
            listener.writing = False
            self._loop.remove_writer(listener.socket.fileno())

    def _failed(self, destination: Destination) -> None:
        core = self._core
        if core is not None:
            now = monotonic()
            try:
                core.layer.destination_failed(destination, now)
            except Exception as error:
                self._on_error(error)
            self.end_turn(now)
