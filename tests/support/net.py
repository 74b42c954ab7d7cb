"""A network edge with real sockets on 127.0.0.0/8, and a core that does what the test writes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

from gateway.net.edge import Edge
from gateway.net.handover import Handover
from gateway.net.udp import UdpListener
from gateway.proxy.peer import Peer, Source
from gateway.sip.message import Response
from gateway.transaction.layer import TransactionLayer
from gateway.transaction.timers import TimerValues
from gateway.transaction.transactions import ClientTransaction
from tests.support.redis_fixtures import until

KNOWN = "127.0.0.2"
NOWHERE = "127.255.255.255"
"""Broadcast: sendto refuses it at once (EACCES), and nothing leaves this machine."""


class Core:
    """As much of a proxy core as the edge knows: real transactions, and a `receive` that the test writes."""

    def __init__(self, edge: Edge) -> None:
        self.layer = TransactionLayer(edge.send, TimerValues())
        self.epoch_offset = 0.0
        self.handler: Callable[[bytes, Source, float], None] = lambda data, source, now: None
        self.received: list[bytes] = []
        self.sources: list[Source] = []

    def receive(self, data: bytes, source: Source, now: float) -> None:
        self.received.append(data)
        self.sources.append(source)
        self.handler(data, source, now)

    def expire(self, now: float) -> None:
        self.layer.timers.expire(now)


class Net:
    """One listener on 127.0.0.1, an edge, and phones on other addresses."""

    def __init__(self, port: int = 0, handover: Handover | None = None) -> None:
        """`handover`: others listen on the same port."""
        self.log: list[str] = []
        self.errors: list[BaseException] = []
        self.before: Callable[[float], None] = lambda now: None
        self.listener = UdpListener("main", "127.0.0.1", port, b"127.0.0.1:5060", handover is not None)
        self.peer = Peer("cc-alpha", b"code", True, (), lambda host, port: None, None)
        self.identified = 0
        self.edge = Edge(
            asyncio.get_running_loop(), [self.listener], self._identify, self.errors.append, handover
        )
        self.edge.before_send = self._before_send
        self.core = Core(self.edge)
        self._phones: list[socket.socket] = []

    @property
    def address(self) -> tuple[str, int]:
        name: tuple[str, int] = self.listener.socket.getsockname()
        return name

    def start(self) -> None:
        self.edge.start(self.core)  # type: ignore[arg-type]

    def phone(self, host: str = KNOWN) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((host, 0))
        made.settimeout(5)
        made.connect(self.address)
        self._phones.append(made)
        return made

    async def received(self, count: int) -> None:
        """Wait until the core got this many messages."""
        await until(lambda: len(self.core.received) == count)

    def close(self) -> None:
        if self.listener.socket.fileno() >= 0:
            self.edge.stop()
        for phone in self._phones:
            phone.close()

    def _identify(
        self, listener: str, ip: str, port: int, transport: str, identities: tuple[str, ...]
    ) -> Peer | None:
        assert listener == "main"
        self.identified += 1
        return self.peer if ip == KNOWN else None

    def _before_send(self, now: float) -> None:
        self.log.append("before")
        self.before(now)


class User:
    """`ClientUser`: what a transaction reports."""

    def __init__(self) -> None:
        self.errors = 0
        self.timeouts = 0

    def client_response(self, client: ClientTransaction, response: Response, now: float) -> None: ...

    def client_ack(self, client: ClientTransaction, response: Response) -> bytes:
        return b""

    def client_timeout(self, client: ClientTransaction, now: float) -> None:
        self.timeouts += 1

    def client_error(self, client: ClientTransaction, now: float) -> None:
        self.errors += 1


class ToUnix(socket.socket):
    """A unix socket that is given a host and a port."""

    path = ""

    def sendto(self, data: bytes, address: object) -> int:  # type: ignore[override]
        return super().sendto(data, self.path)


class Blocked:
    """The listener's socket exchanged for a unix one: the kernel holds a unix datagram until its receiver reads it, so
    it says EAGAIN after a few, which UDP on the loopback never does."""

    def __init__(self, listener: UdpListener, directory: Path) -> None:
        path = str(directory / "far")
        self.far = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.far.bind(path)
        self.far.setblocking(False)
        listener.socket.close()
        listener.socket = near = ToUnix(socket.AF_UNIX, socket.SOCK_DGRAM)
        near.path = path
        near.setblocking(False)
        self.address = (KNOWN, 5060)

    def read(self) -> list[bytes]:
        found: list[bytes] = []
        while True:
            try:
                found.append(self.far.recv(100))
            except BlockingIOError:
                return found
