"""What the proxy asks of the outside: the gate's word, evidence, and the clock's offset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from gateway.proxy.peer import Peer, Source
from gateway.sip.message import Headers, Request, Response
from gateway.sip.screened import Screened

if TYPE_CHECKING:
    from gateway.proxy.call import Call


class Refused:
    """An answer instead of passing a request on."""

    __slots__ = ("headers", "phrase", "status")

    def __init__(self, status: int, phrase: bytes, headers: Headers) -> None:
        self.status = status
        self.phrase = phrase
        self.headers = headers
        """Extra headers: Reason, Warning, Retry-After …"""


class Gate(Protocol):
    """The gate and the evidence, as the proxy needs them."""

    def admit(self, call: Call, now: float) -> None:
        """Decide an initial INVITE. Later, in this or another turn of the loop, `call.admit` or `call.refuse` is
        called exactly once, after the decision record has been written."""
        ...

    def is_emergency(self, request: Request, peer: Peer) -> bool:
        """True for an emergency call, which passes where others are shed."""
        ...

    def refused(self, rule: str, detail: str, request: Request, source: Source, decision: bytes) -> Refused:
        """Record a refusal that the proxy itself makes (`method`, `dialog-forged` …), and word the answer."""
        ...

    def screen_request(self, request: Request, from_peer: Peer, to_peer: Peer) -> Screened:
        """An in-dialog request as it may leave towards `to_peer`, or the rule that refuses it."""
        ...

    def screen_response(self, response: Response, request: Request, from_peer: Peer, to_peer: Peer) -> Screened:
        """A response as it may leave towards `to_peer`, which sent `request`. Never a refusal."""
        ...

    def peer_by_code(self, code: bytes) -> Peer | None:
        """The peer a cookie names."""
        ...

    def peer_at(self, code: bytes, bound: bytes) -> Peer | None:
        """The digest trunk with this code at the address a cookie binds; None where it is none, or no address."""
        ...

    def logged_in(self, trunk: str, source: Source) -> Peer | None:
        """The peer of a digest trunk at the address it logged in from; None where it may not be there."""
        ...

    def outcome(self, call: Call, result: str, status: int, now: float) -> None:
        """How an admitted call's set-up ended: `answered`, `failed`, `cancelled`, `timeout`."""
        ...

    def refreshed(self, decision: bytes, response: Response, now: float) -> None:
        """A 2xx to an INVITE or UPDATE of this call: it is up, for as long as its Session-Expires says (RFC 4028)."""
        ...

    def ended(self, decision: bytes, by: Peer, request: Request, note: str) -> None:
        """A BYE was confirmed by the far side, or never answered, which `note` then says; else `note` is empty."""
        ...

    def is_ended(self, decision: bytes) -> bool:
        """True when this call is known to have ended. False says nothing."""
        ...


_COUNTED_METHODS: Final = frozenset(
    b"INVITE ACK BYE CANCEL OPTIONS PRACK UPDATE INFO REGISTER MESSAGE SUBSCRIBE NOTIFY REFER PUBLISH".split()
)


def method_name(method: bytes) -> bytes:
    """A method by its name where that is a known one, else b"other": what may stand in counters and records."""
    return method if method in _COUNTED_METHODS else b"other"


class Counters:
    """What the proxy counts. Plain integers; telemetry reads them."""

    __slots__ = (
        "dropped",
        "failovers",
        "late_responses",
        "received_requests",
        "received_responses",
        "record_route_lost",
        "sent_requests",
        "sent_responses",
    )

    def __init__(self) -> None:
        self.received_requests: dict[bytes, int] = {}
        """By method; a stranger's inventions are one row, b"other"."""
        self.received_responses: list[int] = [0] * 7
        """By class: index 2 is 2xx."""
        self.sent_requests: dict[bytes, int] = {}
        """By method, as above."""
        self.sent_responses: list[int] = [0] * 7
        self.dropped: dict[str, int] = {}
        """By reason."""
        self.failovers = 0
        self.late_responses = 0
        self.record_route_lost = 0
        """Responses whose Record-Route did not carry our cookie back: such a dialog will pass us by."""

    def gather(self) -> None:
        """Make the numbers anew: see `worker.ebb`."""
        self.received_requests = {method: count + 0 for method, count in self.received_requests.items()}
        self.received_responses = [count + 0 for count in self.received_responses]
        self.sent_requests = {method: count + 0 for method, count in self.sent_requests.items()}
        self.sent_responses = [count + 0 for count in self.sent_responses]
        self.dropped = {reason: count + 0 for reason, count in self.dropped.items()}

    def received(self, method: bytes) -> None:
        """Count a request received."""
        method = method_name(method)
        self.received_requests[method] = self.received_requests.get(method, 0) + 1

    def sent(self, method: bytes) -> None:
        """Count a request sent, ours or forwarded."""
        method = method_name(method)
        self.sent_requests[method] = self.sent_requests.get(method, 0) + 1

    def drop(self, reason: str) -> None:
        """Count a message that gets no answer. Reasons are a fixed set of words."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1
