"""A proxy core on a table: events in, expected messages out, time by hand.

    play.caller(invite())
    play.expect("100 >caller", "INVITE >carrier")

`expect` must name everything that was sent since the last one, in order; a playbook that ends with something
unasserted, or with a transaction that never ends, fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.proxy.authenticate import Account
from gateway.proxy.call import Call
from gateway.proxy.cookie import CookieRing
from gateway.proxy.core import ProxyCore
from gateway.proxy.located import located, pack_address, unpack_address
from gateway.proxy.logins import Logins, Unproven
from gateway.proxy.peer import Destination, Hop, Peer, Source
from gateway.proxy.ports import Refused
from gateway.sip.errors import RemoteProtocolError
from gateway.sip.message import Request, Response
from gateway.sip.parser import parse
from gateway.sip.screened import Screened
from gateway.transaction.layer import TransactionLayer
from gateway.transaction.timers import TimerValues

EPOCH = 1_800_000_000.0
"""Epoch seconds at the playbook's time 0."""

UNREADABLE = (b"SIP/2.0 400 ", b"SIP/2.0 416 ", b"SIP/2.0 501 ", b"SIP/2.0 505 ")

NAMES = {"caller": "127.0.0.2", "beta": "127.0.0.3", "carrier": "127.0.0.9", "carrier2": "127.0.0.10"}
STATUS = {"method": 405, "route-forced": 403, "dialog-identity": 403, "transfer": 403, "overload": 503, "draining": 503}


class ScriptedGate:
    """`ports.Gate`, as the test tells it. `verdict`: what becomes of an initial INVITE."""

    def __init__(self, play: Playbook) -> None:
        self._play = play
        self.verdict: Callable[[Call, float], None] = self.admit_now
        self.parked: list[Call] = []
        self.refusals: list[tuple[str, str]] = []
        """(rule, detail) of what the proxy refused itself."""
        self.outcomes: list[tuple[str, int]] = []
        self.outcome_hops: list[str] = []
        """Address of the hop each outcome names."""
        self.byes: list[tuple[bytes, str]] = []
        """(decision, peer)."""
        self.notes: list[str] = []
        """Of the ends."""
        self.emergency = False
        self.screen: Callable[[Request], Screened] = lambda request: Screened(list(request.headers), request.body)
        self.decisions: list[bytes] = []

    def admit(self, call: Call, now: float) -> None:
        self.decisions.append(call.ids.decision)
        self.verdict(call, now)

    # -- verdicts

    def admit_now(self, call: Call, now: float) -> None:
        play = self._play
        peers = (play.core_peer,) if call.source.peer.access else (play.access_peer,)
        screened = self.screen(call.request)
        call.admit(call.request.target.user or b"", screened, peers, now)

    def park(self, call: Call, now: float) -> None:
        self.parked.append(call)

    def refuse_now(self, call: Call, now: float) -> None:
        call.refuse(Refused(403, b"Forbidden", [(b"Reason", b"Q.850;cause=21")]), now)

    # -- the rest of the port

    def is_emergency(self, request: Request, peer: Peer) -> bool:
        return self.emergency

    def refused(self, rule: str, detail: str, request: Request, source: Source, decision: bytes) -> Refused:
        self.refusals.append((rule, detail))
        return Refused(STATUS.get(rule, 481), rule.encode(), [(b"Warning", b'399 gate "' + rule.encode() + b'"')])

    def screen_request(self, request: Request, from_peer: Peer, to_peer: Peer) -> Screened:
        return self.screen(request)

    def screen_response(self, response: Response, request: Request, from_peer: Peer, to_peer: Peer) -> Screened:
        return Screened(list(response.headers), response.body)

    def peer_by_code(self, code: bytes) -> Peer | None:
        return next((peer for peer in self._play.peers if peer.code == code), None)

    def peer_at(self, code: bytes, bound: bytes) -> Peer | None:
        peer = self.peer_by_code(code)
        return self._play.at(peer, bound) if peer is not None and peer.digest and bound else None

    def logged_in(self, trunk: str, source: Source) -> Peer | None:
        peer = next((peer for peer in self._play.peers if peer.id == trunk), None)
        return self._play.at(peer, pack_address(source.reply)) if peer is not None and peer.digest else None

    def outcome(self, call: Call, result: str, status: int, now: float) -> None:
        self.outcomes.append((result, status))
        self.outcome_hops.append(call.client.destination.address[0] if call.client is not None else "")

    def ended(self, decision: bytes, by: Peer, request: Request, note: str) -> None:
        self.byes.append((decision, by.id))
        self.notes.append(note)

    def is_ended(self, decision: bytes) -> bool:
        return any(decision == ended for ended, _ in self.byes)


class Playbook:
    """One core, three peers, one clock. `hops`: next hops of the carrier."""

    def __init__(
        self,
        hops: int = 1,
        values: TimerValues | None = None,
        core_sent_by: bytes = b"127.0.0.1:5060",
        reliable: bool = False,
    ) -> None:
        self.now = 0.0
        self._sent: list[tuple[str, Request | Response, bytes]] = []
        self._destinations: dict[tuple[str, int], Destination] = {}
        self._sources: dict[tuple[str, int], Source] = {}
        self._core_sent_by = core_sent_by
        self._reliable = reliable
        addresses = ["127.0.0.9", "127.0.0.10", "127.0.0.11"]
        self.access_peer = self._peer("cc-alpha", b"AAAA", True, ["127.0.0.2"], 1)
        self.beta_peer = self._peer("cc-beta", b"BBBB", True, ["127.0.0.3"], 1)
        self.core_peer = self._peer("carrier", b"CCCC", False, addresses, hops)
        self.peers: tuple[Peer, ...] = (self.access_peer, self.beta_peer, self.core_peer)
        self.gate = ScriptedGate(self)
        self.keys = {7: b"k" * 32}
        self.layer = TransactionLayer(self._send, values or TimerValues())
        self.core = self.new_core()

    def new_core(self) -> ProxyCore:
        """A core as after a start of the worker: same keys, empty tables."""
        self.layer = TransactionLayer(self._send, self.layer.values)
        own = frozenset({(b"127.0.0.1", 5060), (b"127.0.0.1", 5080)})
        sent_bys = (b"127.0.0.1:5060", b"127.0.0.1:5080")
        core = ProxyCore(
            self.layer, self.gate, CookieRing(self.keys, 7), b"s" * 32, own, sent_bys, 86_400.0, Logins(b"n" * 32)
        )
        core.epoch_offset = EPOCH
        self.core = core
        return core

    def _peer(self, name: str, code: bytes, access: bool, hosts: list[str], hops: int) -> Peer:
        def reach(host: bytes, port: int, transport: bytes = b"") -> Destination | None:
            return self.destination(host.decode(), port or 5060) if host.decode() in hosts else None

        found = tuple(Hop(self.destination(host, 5060)) for host in hosts[:hops])
        return Peer(name, code, access, found, reach, None)

    def destination(self, host: str, port: int) -> Destination:
        """The same object each time, as the edge gives it."""
        key = (host, port)
        if key not in self._destinations:
            core = host not in ("127.0.0.2", "127.0.0.3")
            sent_by = self._core_sent_by if core else b"127.0.0.1:5060"
            transport = b"TCP" if self._reliable else b"UDP"
            self._destinations[key] = Destination(None, key, transport, sent_by, self._reliable)
        return self._destinations[key]

    def _send(self, destination: Destination, data: bytes) -> None:
        host, port = destination.address
        name = next((name for name, address in NAMES.items() if address == host and port == 5060), f"{host}:{port}")
        try:
            self._sent.append((name, parse(data), data))
        except RemoteProtocolError:
            # The answer to a request that could not be read copies what it can of it, and may be as unreadable.
            if not data.startswith(UNREADABLE):
                raise

    # -- digest ----------------------------------------------------------------------------------------------------

    def let_strangers_log_in(
        self, accounts: Mapping[bytes, Account], algorithms: tuple[bytes, ...], may_try: bool = True
    ) -> None:
        """cc-alpha is known by digest from now on, and at no address."""
        self.access_peer.digest = True
        self._strangers = Unproven("main", b"callgate", accounts, algorithms, lambda source: may_try)

    def at(self, peer: Peer, bound: bytes) -> Peer:
        host, port, _ = unpack_address(bound)
        return located(peer, self.destination(host, port), bound)

    def phone(self, data: bytes, host: str = "127.0.0.2", port: int = 5060) -> None:
        """From a phone of cc-alpha, or whoever else is at no known address."""
        self.core.receive(data, Source(self._strangers, host.encode(), port, self.destination(host, port)), self.now)

    # -- events ----------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, host: str, port: int = 5060) -> None:
        """A datagram from a peer's address."""
        peer = next(peer for peer in self.peers if peer.reach(host.encode(), 0, b"") is not None)
        source = self._sources.get((host, port))
        if source is None or source.peer is not peer:
            source = self._sources[host, port] = Source(peer, host.encode(), port, self.destination(host, port))
        self.core.receive(data, source, self.now)

    def caller(self, data: bytes, port: int = 5060) -> None:
        """From the call centre alpha."""
        self.receive(data, "127.0.0.2", port)

    def beta(self, data: bytes) -> None:
        """From the other call centre."""
        self.receive(data, "127.0.0.3")

    def carrier(self, data: bytes) -> None:
        """From the carrier's first hop."""
        self.receive(data, "127.0.0.9")

    def carrier2(self, data: bytes) -> None:
        """From the carrier's second hop."""
        self.receive(data, "127.0.0.10")

    def advance(self, seconds: float) -> None:
        """Let time pass; every timer runs at its own instant."""
        until = self.now + seconds
        while self.layer.timers.earliest <= until:
            self.now = max(self.now, self.layer.timers.earliest)
            self.core.expire(self.now)
        self.now = until

    def fail(self, name: str) -> None:
        """Nothing can be sent there."""
        self.layer.destination_failed(self.destination(NAMES[name], 5060), self.now)

    # -- expectations ----------------------------------------------------------------------------------------------

    def expect(self, *wanted: str) -> list[Request | Response]:
        """Everything sent since the last call, as "INVITE >carrier" or "200 >caller", in order."""
        sent, self._sent = self._sent, []
        got = [f"{_kind(message)} >{name}" for name, message, _ in sent]
        assert got == list(wanted), f"sent {got}, expected {list(wanted)}"
        self.wire = [data for _, _, data in sent]
        return [message for _, message, _ in sent]

    def request(self, wanted: str) -> Request:
        """The one message that was sent, a request."""
        (message,) = self.expect(wanted)
        assert isinstance(message, Request)
        return message

    def response(self, wanted: str) -> Response:
        """The one message that was sent, a response."""
        (message,) = self.expect(wanted)
        assert isinstance(message, Response)
        return message

    def last(self, *wanted: str) -> Request:
        """As `expect`; the last message, a request."""
        message = self.expect(*wanted)[-1]
        assert isinstance(message, Request)
        return message

    def dropped(self, reason: str) -> None:
        """Nothing was sent, and one message was counted as dropped for this reason."""
        self.expect()
        assert self.core.counters.dropped == {reason: 1}
        self.core.counters.dropped.clear()

    def forget(self) -> None:
        """Whatever was sent, it does not matter."""
        self._sent.clear()

    def close(self) -> None:
        """The end: nothing unasserted, and nothing that outlives its timers."""
        left = [f"{_kind(message)} >{name}" for name, message, _ in self._sent]
        assert not left, f"sent and never asserted: {left}"
        for call in self.gate.parked:
            call.refuse(Refused(403, b"Forbidden", []), self.now)
        self.advance(500.0)
        assert not self.layer.servers, "server transactions that never end"
        assert not self.layer.clients, "client transactions that never end"
        assert not len(self.layer.timers), "timers that never end"


def _kind(message: Request | Response) -> str:
    return message.method.decode() if isinstance(message, Request) else str(message.status)
