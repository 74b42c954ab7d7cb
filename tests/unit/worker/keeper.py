"""A worker's call path without its event loop: proxy core, gatekeeper, gate and journal; messages in, messages out."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from gateway.net.udp import UdpListener
from gateway.proxy.cookie import CookieRing
from gateway.proxy.core import ProxyCore
from gateway.proxy.peer import Destination, Peer, Source
from gateway.registry.registry import Registry
from gateway.sip.message import Request, Response
from gateway.sip.parser import parse
from gateway.telemetry.metrics import WorkerStats
from gateway.transaction.layer import TransactionLayer
from gateway.transaction.timers import TimerValues
from gateway.worker.gatekeeper import Gatekeeper
from gateway.worker.peers import PeerBook
from tests.support import sip_text
from tests.unit.gate.calls import registry
from tests.unit.gate.house import CONSENT, House

HOST = b"127.0.0.1:5060"
MAX_CALL_S = 14_400.0


def invite(**changes: object) -> bytes:
    """`sip_text.invite` without a body: what is in one is not asked here."""
    return sip_text.invite(**{"body": b"", **changes})


class Post:
    """Everything of a worker between its sockets."""

    def __init__(self, over: Registry | None = None) -> None:
        self.house = House(over=over)
        self.stats = WorkerStats(0)
        self.sent: list[tuple[str, Request | Response]] = []
        self.safe: Callable[[Callable[[OSError | None], None]], None] = lambda act: act(None)
        self.keeper = Gatekeeper(self.house.gate, self.stats, HOST, MAX_CALL_S, lambda act: self.safe(act))
        self.listener = UdpListener("main", "127.0.0.1", 0, HOST)
        own = frozenset({(b"127.0.0.1", 5060)})
        ring = CookieRing({1: b"c" * 32}, 1)
        self.core = ProxyCore(
            TransactionLayer(self._send, TimerValues()), self.keeper, ring, b"d" * 32, own, (HOST,), 86_400.0
        )
        self.switch(over or registry())

    def switch(self, over: Registry) -> None:
        self.keeper.switch(over, PeerBook(over, [self.listener]))

    def close(self) -> None:
        self.listener.close()

    def peer(self, ip: str) -> Peer:
        found = self.keeper.identify("main", ip)
        assert found is not None
        return found

    def source(self, ip: str) -> Source:
        return Source(self.peer(ip), ip.encode(), 5060, self.listener.destination(ip, 5060))

    def receive(self, data: bytes, ip: str = "127.0.0.2") -> None:
        """A message arrives; the store answers that there is consent; the turn ends."""
        self.core.receive(data, self.source(ip), monotonic())
        self.house.lookup.answer(CONSENT)
        self.turn()

    def turn(self) -> None:
        self.keeper.before_send(monotonic())

    def kinds(self) -> list[str]:
        """What was sent since the last time, as `INVITE >127.0.0.9:5060`."""
        sent, self.sent = self.sent, []
        self.last = [message for _, message in sent]
        return [
            f"{message.method.decode() if isinstance(message, Request) else message.status} >{to}"
            for to, message in sent
        ]

    def _send(self, destination: Destination, data: bytes) -> None:
        assert isinstance(destination, Destination)
        self.sent.append((destination.host_port.decode(), parse(data)))
