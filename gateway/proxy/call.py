"""The response context of an INVITE (RFC 3261 §16.7): parked at the gate, forwarded hop after hop, answered once.

One `Call` lives per INVITE server transaction, the initial one or a re-INVITE. One branch is tried at a time, and a hop
that answered with anything but 503 has spoken for all of them (DESIGN §5, Route). A branch that was given up may
still answer: a provisional response is cancelled, a 2xx and a 6xx are passed on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway.proxy import record_route, reply
from gateway.proxy.branch import Identifiers
from gateway.proxy.invite_branch import Branch
from gateway.proxy.peer import Destination, Peer, Source
from gateway.proxy.ports import Refused
from gateway.proxy.remembered import leg_of
from gateway.proxy.upstream import pass_response
from gateway.sip.message import Headers, Request, Response
from gateway.sip.screened import Screened
from gateway.sip.uri import parse_uri
from gateway.sip.via import Via
from gateway.transaction import timers as t
from gateway.transaction.transactions import ClientTransaction, ServerTransaction

if TYPE_CHECKING:
    from gateway.proxy.core import ProxyCore

PARKED: Final = 0
"""Waits for the gate."""
TRYING: Final = 1
"""Forwarded, no final response yet."""
DONE: Final = 2
"""A final response went upstream."""

_NONE: Final[list[Any]] = []
_NO_VIA: Final = Via(b"", b"", 0, b"", b"", b"", None)
_NO_TARGET: Final = parse_uri(b"sip:anonymous.invalid")
"""Shared by calls that need no own: nobody changes them."""


class Call:
    """One INVITE and its branches. `ServerUser`."""

    __slots__ = (
        "_failure",
        "_hops",
        "_next",
        "_reason",
        "below",
        "body",
        "branch",
        "cancelled",
        "client",
        "core",
        "datagrams_only",
        "decision",
        "headers",
        "ids",
        "initial",
        "received_at",
        "request",
        "server",
        "source",
        "state",
        "target",
        "top_via",
    )

    def __init__(
        self,
        core: ProxyCore,
        request: Request,
        source: Source,
        server: ServerTransaction,
        ids: Identifiers,
        top_via: bytes,
        initial: bool,
        now: float,
    ) -> None:
        self.core = core
        self.request = request
        self.source = source
        self.server = server
        self.ids = ids
        self.decision = ids.decision
        """Id of the dialog's call: for a re-INVITE not its own."""
        self.top_via = top_via
        self.initial = initial
        """False for a re-INVITE: no gate, no cookies, no record."""
        self.received_at = now
        self.state = PARKED
        self.cancelled = False
        self.client: ClientTransaction | None = None
        """The branch tried last, or the one that answered."""
        self.target = b""
        self.body = request.body
        self.headers: Headers = request.headers
        self.below: list[bytes] = _NONE
        """Record-Route values of the request as it left below ours."""
        self.datagrams_only = False
        """TCP failed where it was used for the size alone."""
        self._hops: list[tuple[Peer, Destination]] = _NONE
        self._next = 0
        self.branch: Branch | None = None
        """The branch that decides; None when there is none, which also frees the two of each other."""
        self._failure = 0
        self._reason: Headers = _NONE
        server.user = self

    # -- the gate's word -------------------------------------------------------------------------------------------

    def admit(
        self, target: bytes, screened: Screened, peers: tuple[Peer, ...], now: float, emergency: bool = False
    ) -> None:
        """Forward. `target`: user part of the Request-URI that leaves; its host is each hop's own. `screened`: headers
        (own Routes gone) and body; `peers` in order of preference."""
        if self.state != PARKED:
            if self.cancelled:
                self._report("cancelled", 487, now)
            return
        self.target = target
        self.headers = screened.headers
        source = self.source.peer
        if source.access:
            self.headers = record_route.without_strangers(self.headers, source, self.core.dialogs.own)
        self.below = record_route.values(self.headers) or _NONE
        self.body = screened.body
        self.core.dialogs.decisions.forwarded(self.ids.decision)
        hops = [(peer, hop.destination) for peer in peers for hop in peer.hops if hop.up and not hop.drained]
        if not hops:
            # All down: they are tried all the same, for a probe can be wrong, a hop may take calls and no OPTIONS, and
            # nothing is lost by asking. What was drained by hand stays so, except for an emergency call.
            hops = [(peer, hop.destination) for peer in peers for hop in peer.hops if not hop.drained or emergency]
        self._hops = hops
        self.state = TRYING
        self._try_next(now)

    def forward_to(self, headers: Headers, body: bytes, peer: Peer, destination: Destination, now: float) -> None:
        """Forward a re-INVITE inside its dialog: its Request-URI stays, the target was chosen by its cookie."""
        self.headers = headers
        self.body = body
        self._hops = [(peer, destination)]
        self.state = TRYING
        self._try_next(now)

    def refuse(self, refused: Refused, now: float) -> None:
        """Answer with a final response instead of forwarding."""
        if self.state == PARKED:
            self._answer(refused.status, refused.phrase, refused.headers, now)

    # -- branches (§16.6) ------------------------------------------------------------------------------------------

    def _try_next(self, now: float) -> None:
        index = self._next
        if index >= len(self._hops):
            self._no_more_hops(now)
            return
        self._next = index + 1
        layer = self.core.layer
        self.core.counters.failovers += index > 0
        peer, destination = self._hops[index]
        self.branch = tried = Branch(self, index, peer, destination, now)
        self.client = tried.client
        if self._next < len(self._hops):
            layer.timers.start(layer.values.first_response, now, tried, t.TIMER_FIRST_RESPONSE)
        elif not tried.switched:  # nothing is written from these again, and a call may ring for minutes
            self.headers = []
            self.body = self.request.body = b""

    def _no_more_hops(self, now: float) -> None:
        if self._failure == 408:
            self._answer(408, b"Request Timeout", [], now)
            self._report("timeout", 408, now)
        else:
            # §16.7 step 6: a 503 that came from downstream says nothing about us.
            self._answer(500, b"Server Internal Error", [], now)
            self._report("failed", self._failure or 500, now)

    # -- what branches report (§16.7) ------------------------------------------------------------------------------

    def provisional(self, branch: Branch, response: Response, now: float) -> None:
        """A 1xx."""
        if branch is not self.branch:
            # A branch that was given up: that hop must not go on ringing.
            self.core.counters.late_responses += 1
            branch.cancel(self._reason, now)
            return
        if self.cancelled:
            branch.cancel(self._reason, now)
        if response.status > 100:
            branch.restart_timer_c(now)  # §16.7 step 2
            pass_response(self, branch, response, now)

    def success(self, branch: Branch, response: Response, now: float) -> None:
        """A 2xx: always passed on, whichever branch it comes from and whatever was sent before."""
        if branch.client is not self.client:
            self.core.counters.late_responses += 1
        pass_response(self, branch, response, now)
        if self.initial:
            self.core.dialogs.decisions.leg_answered(leg_of(self.ids.decision, response.to.tag))
        if self.state == DONE:
            return
        tried = self.branch
        self.client = branch.client
        self._done()
        if tried is not None and tried is not branch:
            tried.abandon(now)  # a hop that was given up answered first (§16.7 step 10)
        self._report("answered", response.status, now)
        self.core.gate.refreshed(self.decision, response, now)

    def final(self, branch: Branch, response: Response, now: float) -> None:
        """A 300–699."""
        status = response.status
        tried = self.branch
        if tried is None or (branch is not tried and status < 600):
            return  # an answer went out already, or the next hop was asked: only a 6xx speaks for that too
        if status == 503:
            self.failed(branch, 503, now)
            return
        pass_response(self, branch, response, now)
        self._done()
        if branch is not tried:
            self.core.counters.late_responses += 1
            self.client = branch.client
            tried.abandon(now)
        self._report("cancelled" if self.cancelled else "failed", status, now)

    def failed(self, branch: Branch, status: int, now: float) -> None:
        """A branch came to nothing: `status` 408 (silent) or 503 (refused, or not to be reached)."""
        if branch is not self.branch:
            return
        if self.cancelled:
            self._answer(487, b"Request Terminated", [], now)
            self._report("cancelled", 487, now)
            return
        if self._failure != 408:
            # §16.7 step 6: of a 408 and a 503 the lower class is the better answer.
            self._failure = status
        branch.slim()
        self._try_next(now)

    def by_datagram(self, branch: Branch) -> None:
        """A request that was too large for a datagram could not be sent by TCP: the same hop gets it by UDP all the
        same (§18.1.1)."""
        if branch is self.branch:
            self.datagrams_only = True
            self._hops.insert(self._next, (branch.peer, branch.plain))

    def rang_out(self, branch: Branch, now: float) -> None:
        """Timer C ran out, and the hop was cancelled."""
        self._hops.clear()
        self.failed(branch, 408, now)

    # -- CANCEL (§16.10) -------------------------------------------------------------------------------------------

    def cancel(self, reason: Headers, now: float) -> None:
        """The caller gave up. `reason`: Reason headers of the CANCEL, passed on (RFC 3326)."""
        if self.state == DONE or self.cancelled:
            return
        self.cancelled = True
        self._reason = reason
        if self.branch is None:
            self._answer(487, b"Request Terminated", [], now)  # the gate's word is reported when it comes
        else:
            # §9.1: no CANCEL before a provisional response; `provisional` sends it then, and timer B ends the wait.
            self.branch.cancel(reason, now)

    # -- ServerUser ------------------------------------------------------------------------------------------------

    def server_ack(self, server: ServerTransaction, request: Request, now: float) -> None:
        """`ServerUser`: an ACK for our 2xx that carries the INVITE's branch."""
        self.core.forward_ack(request, self.source, now)

    def server_failed(self, server: ServerTransaction, now: float) -> None:
        """`ServerUser`: nobody acknowledged our final response; a proxy has nothing left to do."""

    # -- the end ---------------------------------------------------------------------------------------------------

    def _done(self) -> None:
        """A final response went out, or is about to: what only a forwarded request needed is let go of."""
        parked = self.state == PARKED
        self.state = DONE
        branch, self.branch = self.branch, None
        if branch is not None:
            branch.slim()
        # Repeated 2xx are passed on for 32 s more: of the request they need what From, To and the cookies are made of.
        # Calls of 32 s are most of a worker's memory.
        asked = self.request
        kept = [header for header in asked.headers if header[0] == b"From" or header[0] == b"To"]
        if parked:  # the gate has this request, and may still write it down
            self.request = Request(
                asked.method, b"", _NO_TARGET, kept, b"", _NO_VIA, asked.from_, asked.to, asked.call_id, asked.cseq
            )
        else:
            asked.headers = kept
            asked.body = asked.uri = b""
            asked.target = _NO_TARGET
            asked.via = _NO_VIA
        self.headers = kept
        self.body = self.target = self.top_via = b""
        self._hops = self._reason = _NONE

    def _answer(self, status: int, phrase: bytes, headers: Headers, now: float) -> None:
        data = reply.local_response(self.request, self.top_via, status, phrase, self.ids.tag, headers)
        self._done()
        self.core.counters.sent_responses[status // 100] += 1
        self.server.respond(status, data, now)

    def _report(self, result: str, status: int, now: float) -> None:
        if self.initial:
            self.core.dialogs.decisions.settled(self.ids.decision, result == "answered")
            self.core.gate.outcome(self, result, status, now)
