"""Between the proxy core and the gate: `proxy.ports.Gate`, on the gate's verdicts and the registry's peers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic, time

from gateway.gate.attempt import CallAttempt
from gateway.gate.callee import read_callee
from gateway.gate.decision import Verdict, refusal_headers
from gateway.gate.gate import Gate
from gateway.gate.screen import emergency_uri, screen_request, screen_response
from gateway.gate.waiting import Waiting, deliver
from gateway.proxy.call import Call
from gateway.proxy.peer import Peer, Source
from gateway.proxy.ports import Refused
from gateway.registry.model import Trunk
from gateway.registry.registry import Registry
from gateway.sip.message import Request, Response
from gateway.sip.screened import Screened
from gateway.sip.seen import Seen
from gateway.store.ports import CallChannels, TrunkLimit
from gateway.telemetry.metrics import WorkerStats
from gateway.worker.leases import Leases, session_s
from gateway.worker.peers import PeerBook
from policies.base import Answer
from policies.facts import OUTBOUND

MAX_EXPIRED = 100_000
"""Calls remembered that ended without a BYE: as many as the evidence remembers ends."""

MAX_GONE = 40_000
"""Calls remembered that another worker counts: all that the stream of such words holds (`store.redis.elsewhere`)."""

Outgoing = Callable[[CallAttempt, bytes, Registry], Screened]
"""As `outgoing`."""


class Gatekeeper:
    """One worker's `proxy.ports.Gate`."""

    def __init__(
        self,
        gate: Gate,
        stats: WorkerStats,
        host: bytes,
        leases: Leases,
        when_safe: Callable[[Callable[[OSError | None], None]], None] | None,
        channels: CallChannels | None = None,
    ) -> None:
        """`host`: our name in Warning headers and in P-Asserted-Identity. `leases`: of the calls that are up.
        `when_safe`: runs its argument once everything committed to the journal is on the disk, or with the error that
        kept it from being so; None where no verdict waits for that. `channels`: of trunks with limits."""
        self._channels = channels or Unlimited()
        self._gate = gate
        self._stats = stats
        self._host = host
        self._leases = leases
        self.when_safe = when_safe
        self._outgoing: Outgoing = outgoing
        self._book: PeerBook | None = None
        self._registry: Registry | None = None
        self._expired = Seen(MAX_EXPIRED)
        self._gone = Seen(MAX_GONE)
        """Calls that were let go of."""
        self.on_taken_over: Callable[[str], None] = lambda decision: None
        """Told of each call that this worker did not count as up, and has seen a word of: another one may."""

    @property
    def active(self) -> int:
        """Answered calls that have not ended."""
        return len(self._leases)

    def switch(self, registry: Registry, book: PeerBook) -> None:
        """A new registry version is in force."""
        self._registry = registry
        self._book = book

    def identify(
        self, listener: str, ip: str, port: int = 0, transport: str = "udp", identities: tuple[str, ...] = ()
    ) -> Peer | None:
        """The peer of a source (`net.edge.Identify`)."""
        book = self._book
        return book.identify(listener, ip, port, transport, identities) if book is not None else None

    def admits(self, listener: str, ip: str) -> bool:
        """May this address connect (`PeerBook.admits`)?"""
        return self._book is not None and self._book.admits(listener, ip)

    # -- the end of a turn -----------------------------------------------------------------------------------------

    def before_send(self, now: float) -> None:
        """Write the evidence of this turn, then let its verdicts act (DESIGN §1)."""
        gate = self._gate
        if gate.idle:
            return
        ready = gate.commit(now + self._offset())
        if not ready:
            return
        if self.when_safe is None:
            deliver(ready)
        else:
            self.when_safe(partial(self._act, ready))

    def _act(self, ready: list[Waiting], error: OSError | None) -> None:
        if error is not None:
            self._gate.unsynced(ready, time())
        deliver(ready)

    @staticmethod
    def _offset() -> float:
        return time() - monotonic()

    # -- proxy.ports.Gate ------------------------------------------------------------------------------------------

    def admit(self, call: Call, now: float) -> None:
        """See `proxy.ports.Gate`."""
        source = call.source
        self._gate.decide(
            call.request,
            trunk_of(source.peer),
            call.ids.decision.hex(),
            source.reply.name,
            call.received_at,
            now + self._offset(),
            partial(self._deliver, call),
        )

    def _deliver(self, call: Call, verdict: Verdict) -> None:
        now = monotonic()
        try:
            self._tell(call, verdict, now)
        except Exception:
            # A fault of ours must not leave the caller waiting and the call parked for ever.
            call.refuse(Refused(500, b"Server Internal Error", []), now)
            raise

    def _tell(self, call: Call, verdict: Verdict, now: float) -> None:
        answer = verdict.answer
        if answer is not None:
            call.refuse(self._refused(answer, verdict.rule, verdict.decision, call.request), now)
            return
        registry, book = self._registry, self._book
        attempt = verdict.attempt
        if registry is None or book is None:
            return
        peers = tuple(peer for trunk in attempt.routes if (peer := book.peers.get(trunk.id)) is not None)
        headers = self._outgoing(attempt, self._host, registry)
        call.admit(attempt.target, headers, peers, now, bool(attempt.emergency))

    def _refused(self, answer: Answer, rule: str, decision: str, request: Request) -> Refused:
        headers = refusal_headers(answer, rule, decision, self._host, request.uri)
        return Refused(answer.status, answer.phrase.encode(), headers)

    def is_emergency(self, request: Request, peer: Peer) -> bool:
        """See `proxy.ports.Gate`."""
        registry = self._registry
        if registry is None or not peer.access:
            return False
        return bool(read_callee(request, trunk_of(peer), registry).emergency)

    def refused(self, rule: str, detail: str, request: Request, source: Source, decision: bytes) -> Refused:
        """See `proxy.ports.Gate`."""
        at = time()
        trunk = trunk_of(source.peer)
        answer = self._gate.refuse(rule, detail, request, trunk, decision.hex(), source.reply.name, at)
        return self._refused(answer, rule, decision.hex(), request)

    def screen_request(self, request: Request, from_peer: Peer, to_peer: Peer) -> Screened:
        """See `proxy.ports.Gate`."""
        plan = self._in_force().plan
        return screen_request(request, trunk_of(from_peer), trunk_of(to_peer), None, plan, self._host)

    def screen_response(self, response: Response, request: Request, from_peer: Peer, to_peer: Peer) -> Screened:
        """See `proxy.ports.Gate`."""
        plan = self._in_force().plan
        return screen_response(response, trunk_of(from_peer), trunk_of(to_peer), plan, request)

    def _in_force(self) -> Registry:
        if self._registry is None:
            raise RuntimeError("no registry: nothing is received before there is one")
        return self._registry

    def peer_by_code(self, code: bytes) -> Peer | None:
        """See `proxy.ports.Gate`."""
        return self._book.by_code(code) if self._book is not None else None

    def peer_at(self, code: bytes, bound: bytes) -> Peer | None:
        """See `proxy.ports.Gate`."""
        return self._book.at(code, bound) if self._book is not None else None

    def logged_in(self, trunk: str, source: Source) -> Peer | None:
        """See `proxy.ports.Gate`."""
        return self._book.logged_in(trunk, source) if self._book is not None else None

    def outcome(self, call: Call, result: str, status: int, now: float) -> None:
        """See `proxy.ports.Gate`."""
        decision = call.ids.decision.hex()
        client = call.client
        hop = "" if client is None else client.destination.host_port.decode("ascii")
        at = now + self._offset()
        self._gate.evidence.outcome(decision, at, result, status, hop)
        self._gate.patterns.outcome(decision, result == "answered", at)
        if self._gate.following is not None:
            self._gate.following.outcome(decision, result, status, at)
        key = (call.source.peer.id, result)
        self._stats.outcomes[key] = self._stats.outcomes.get(key, 0) + 1
        if result == "answered":
            self._leases.begin(decision, now)
            self._channels.keep(decision, at + self._leases.longest_s)
        else:
            self._channels.release(decision)

    def refreshed(self, decision: bytes, response: Response, now: float) -> None:
        """See `proxy.ports.Gate`."""
        text = decision.hex()
        if text not in self._leases:
            if self._gate.evidence.is_ended(text):
                return
            # Set up by another worker, which may see no more of it.
            self._leases.begin(text, now)
            self.on_taken_over(text)
        due = self._leases.refresh(text, session_s(response), now)
        if due:
            self._channels.keep(text, due + self._offset())

    def ended(self, decision: bytes, by: Peer, request: Request, note: str) -> None:
        """See `proxy.ports.Gate`."""
        text = decision.hex()
        counted = self._leases.end(text)
        side = "access" if by.access else "core"
        self._gate.patterns.ended(text, time())
        self._channels.release(text)
        if self._gate.evidence.ended(text, time(), side, note or release_cause(request)) and not counted:
            self.on_taken_over(text)

    def let_go(self, decision: str) -> None:
        """Another worker counts this call from now on, or has seen its end: it writes the record."""
        self._leases.end(decision)
        self._gone.add(decision.encode("ascii"))

    def is_ended(self, decision: bytes) -> bool:
        """See `proxy.ports.Gate`. A call that only outlived its lease may be up all the same."""
        text = decision.hex()
        return self._gate.evidence.is_ended(text) and text.encode() not in self._expired

    def take_up(self, answered: dict[str, float], at: float) -> None:
        """Calls that were up when the worker before this one died: decision id to answer time, epoch seconds. Those
        that another worker has taken over meanwhile are its own."""
        now = monotonic()
        for decision, since in answered.items():
            if decision.encode() not in self._gone:
                self._leases.begin(decision, now - max(0.0, at - since))

    def shrink(self) -> None:
        """The load has gone down: see `Leases.shrink`."""
        self._leases.shrink()

    def expire_calls(self, now: float) -> int:
        """End calls whose leases are over: no BYE will come (DESIGN §6, Channels). Returns how many."""
        expired = self._leases.over(now)
        for decision in expired:
            self._gate.evidence.ended(decision, now + self._offset(), "gateway", "no BYE")
            self._channels.release(decision)
            self._expired.add(decision.encode("ascii"))
        return len(expired)


class Unlimited:
    """`CallChannels` where no trunk has limits."""

    def take(self, decision: str, limits: Sequence[TrunkLimit], at: float, done: Callable[[str], None]) -> None:
        """Always there; never asked for."""
        done("")

    def keep(self, decision: str, until: float) -> None:
        """Nothing is kept."""

    def release(self, decision: str) -> None:
        """Nothing was kept."""


def outgoing(attempt: CallAttempt, host: bytes, registry: Registry) -> Screened:
    """Headers and body of an allowed INVITE as they leave. The caller is asserted towards the core when it was
    verified; an emergency call's unproven caller is replaced by the trunk's emergency CLI, not asserted (DESIGN §5)."""
    # A number that was allowed by a rule in shadow mode is not proven, and is not asserted.
    asserted = attempt.number if attempt.direction == OUTBOUND and attempt.proven else None
    from_uri = b""
    if attempt.emergency and not attempt.proven and attempt.trunk.emergency_cli:
        from_uri = emergency_uri(attempt.trunk.emergency_cli, host)
    # Several trunks may take the call: identity is shown only if each of them is trusted with it. None may take it
    # where a verdict from before a restart meets a registry in which they are suspended: it then fails, as 500.
    routes = attempt.routes or (attempt.trunk,)
    to_trunk = next((trunk for trunk in routes if not trunk.trusted), routes[0])
    return screen_request(
        attempt.request, attempt.trunk, to_trunk, asserted, registry.plan, host, from_uri, bool(attempt.emergency)
    )


def release_cause(request: Request) -> str:
    """Protocol and cause of a BYE's Reason header (RFC 3326), `Q.850;cause=16`. Its text is the peer's, and may name a
    subscriber: it is not kept."""
    value = request.get(b"Reason")
    if value is None:
        return ""
    protocol, _, params = value.partition(b";")
    if protocol.strip().upper() not in (b"Q.850", b"SIP"):
        return ""
    for param in params.split(b";"):
        name, _, cause = param.strip().partition(b"=")
        if name.lower() == b"cause" and cause.isdigit() and len(cause) <= 3:
            return f"{protocol.strip().decode('ascii')};cause={cause.decode()}"
    return ""


def trunk_of(peer: Peer) -> Trunk:
    """The registry's trunk behind a peer."""
    trunk = peer.trunk
    if not isinstance(trunk, Trunk):
        raise TypeError(f"peer {peer.id} has no trunk of the registry")
    return trunk
