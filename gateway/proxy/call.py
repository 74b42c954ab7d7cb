"""The response context of an INVITE (RFC 3261 §16.7): parked at the gate, forwarded hop after hop, answered once.

One `Call` lives per INVITE server transaction, the initial one or a re-INVITE. There is one branch at a time: the next hops are
tried in order, and a hop that answered with anything but 503 has spoken for all of them (DESIGN §5, Route).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.proxy import forward, reply
from gateway.proxy.branch import Identifiers
from gateway.proxy.cookie import CALLEE, CALLER, PARAMETER, Cookie
from gateway.proxy.peer import Destination, Hop, Peer, Source
from gateway.proxy.ports import Refused, Screened
from gateway.sip.errors import LocalProtocolError
from gateway.sip.message import Headers, Request, Response
from gateway.sip.writer import write_request, write_response
from gateway.transaction import machines as m
from gateway.transaction import timers as t
from gateway.transaction.transactions import ClientTransaction, ServerTransaction

if TYPE_CHECKING:
    from gateway.proxy.core import ProxyCore

PARKED = 0
"""Waits for the gate."""
TRYING = 1
"""Forwarded, no final response yet."""
DONE = 2
"""A final response went upstream."""

MAX_RETURN_COOKIES = 16
"""Cookies kept per call for repeated responses; a call forked downstream into more legs has them made again."""

TIMER_C_STEP = 32.0
"""Timer C is looked at this often, so that a finished call is not held in the timer queue for three minutes."""


class Branch:
    """One client transaction of a call, and what it was sent with."""

    __slots__ = ("cancelled", "client", "cookie", "headers", "peer", "uri")

    def __init__(self, client: ClientTransaction, uri: bytes, headers: Headers, peer: Peer, cookie: bytes) -> None:
        self.client = client
        self.uri = uri
        self.headers = headers
        """Headers as sent; what an ACK or CANCEL of this branch is made from."""
        self.peer = peer
        self.cookie = cookie
        """Text of the callee's cookie in the forwarded request; empty on a re-INVITE."""
        self.cancelled = False


class Call:
    """One INVITE and its branches. `ServerUser`, `ClientUser` and `Expiring`."""

    __slots__ = (
        "_branches",
        "_cancel_reason",
        "_heard",
        "_hops",
        "_last_failure",
        "_next",
        "_started",
        "_timer_c_at",
        "body",
        "cancelled",
        "client",
        "core",
        "headers",
        "ids",
        "initial",
        "received_at",
        "request",
        "return_cookies",
        "server",
        "source",
        "state",
        "target",
        "to_peer",
        "top_via",
        "uri",
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
        self.top_via = top_via
        self.initial = initial
        """False for a re-INVITE: no gate, no cookies, no record."""
        self.received_at = now
        self.state = PARKED
        self.cancelled = False
        self.client: ClientTransaction | None = None
        self.to_peer: Peer | None = None
        self.target = b""
        self.uri = request.uri
        """Request-URI as sent to the current hop."""
        self.body = request.body
        self.headers: Headers = request.headers
        self.return_cookies: dict[bytes, bytes] = {}
        """Caller's cookie by To tag and Contact of the response it goes back in."""
        self._hops: list[tuple[Peer, Hop | None, Destination]] = []
        self._next = 0
        self._heard = False
        self._started = 0.0
        self._timer_c_at = 0.0
        self._last_failure = 0
        self._branches: list[Branch] = []
        self._cancel_reason: Headers = []
        server.user = self

    # -- the gate's word -------------------------------------------------------------------------------------------

    def admit(self, target: bytes, screened: Screened, peers: tuple[Peer, ...], now: float) -> None:
        """Forward. `target`: user part of the Request-URI that leaves; its host is each hop's own. `screened`: headers (own
        Routes gone) and body; `peers` in order of preference."""
        if self.state != PARKED:
            if self.cancelled:
                self.core.gate.outcome(self, "cancelled", 487, now)
            return
        self.target = target
        self.headers = screened.headers
        self.body = screened.body
        hops: list[tuple[Peer, Hop | None, Destination]] = [
            (peer, hop, hop.destination) for peer in peers for hop in peer.hops
        ]
        # Down hops are skipped; when all are down the first is tried all the same: a probe can be wrong.
        self._hops = [entry for entry in hops if entry[1] is None or entry[1].up] or hops[:1]
        self.state = TRYING
        self._try_next(now)

    def forward_to(
        self, headers: Headers, body: bytes, peer: Peer, destination: Destination, now: float
    ) -> None:
        """Forward a re-INVITE inside its dialog: its Request-URI stays, the target was chosen by its cookie."""
        self.headers = headers
        self.body = body
        self._hops = [(peer, None, destination)]
        self.state = TRYING
        self._try_next(now)

    def refuse(self, refused: Refused, now: float) -> None:
        """Answer with a final response instead of forwarding."""
        if self.state == PARKED:
            self._answer(refused.status, refused.phrase, refused.headers, now)

    # -- branches --------------------------------------------------------------------------------------------------

    def _try_next(self, now: float) -> None:
        core = self.core
        index = self._next
        if index >= len(self._hops):
            self._no_more_hops(now)
            return
        self._next = index + 1
        peer, _, destination = self._hops[index]
        self.to_peer = peer
        branch = self.ids.branch + b".%d" % index if index else self.ids.branch
        routes: list[bytes] = []
        cookie = b""
        if self.initial:
            self.uri = b"sip:%b@%b;user=phone" % (self.target, destination.host_port)
            cookie = self._callee_cookie(peer)
            routes = self._record_routes(destination, cookie)
        headers = forward.forwarded_headers(
            self.headers, destination.via + branch, self.top_via, self.request.max_forwards, routes
        )
        data = write_request(b"INVITE", self.uri, headers, self.body)
        self._heard = False
        self._started = now
        if index:
            core.counters.failovers += 1
        core.counters.sent(b"INVITE")
        client = core.layer.new_client(branch, b"INVITE", destination, data, self, now)
        self.client = client
        self._branches.append(Branch(client, self.uri, headers, peer, cookie))
        values = core.layer.values
        if self._next < len(self._hops):
            core.layer.timers.start(values.first_response, now, self, t.TIMER_FIRST_RESPONSE)
        if not index:
            self._timer_c_at = now + values.c
            core.layer.timers.start(min(TIMER_C_STEP, values.c), now, self, t.TIMER_C)

    def _callee_cookie(self, peer: Peer) -> bytes:
        core = self.core
        request = self.request
        from_hash = core.uri_hash(request.from_.uri)
        if self.headers is not request.headers:
            for name, value in self.headers:
                if name == b"From":
                    if value != request.get(b"From"):
                        # Only an emergency call may leave with another From than it came with.
                        from_hash = core.header_hash(value)
                    break
        cookie = Cookie(
            CALLEE,
            core.epoch(self.received_at),
            self.ids.decision,
            peer.code,
            self.source.peer.code,
            from_hash,
            core.uri_hash(request.to.uri),
        )
        self.return_cookies.clear()
        return core.ring.issue(cookie, request.call_id, request.from_.tag, b"")

    def _record_routes(self, destination: Destination, cookie: bytes) -> list[bytes]:
        """Our Record-Route values, outgoing side first; two when the sides differ (RFC 5658)."""
        routes = [record_route(destination, cookie)]
        if destination.sent_by != self.source.reply.sent_by:
            routes.append(record_route(self.source.reply, cookie))
        return routes

    def _no_more_hops(self, now: float) -> None:
        if self._last_failure == 408:
            self._answer(408, b"Request Timeout", [], now)
            self._report("timeout", 408, now)
        else:
            # §16.7 step 6: a 503 that came from downstream says nothing about us.
            self._answer(500, b"Server Internal Error", [], now)
            self._report("failed", self._last_failure or 500, now)

    # -- responses (§16.7) -----------------------------------------------------------------------------------------

    def client_response(self, client: ClientTransaction, response: Response, now: float) -> None:
        """`ClientUser`."""
        status = response.status
        branch = self._branch(client)
        if status < 200:
            if client is not self.client or self.state == DONE:
                # A late provisional of a branch that was given up: that hop must not go on ringing.
                self.core.counters.late_responses += 1
                self._cancel_branch(branch, now)
                return
            self._heard = True
            self._timer_c_at = now + self.core.layer.values.c
            if self.cancelled:
                self._cancel_branch(branch, now)
            if status > 100:
                self._pass(branch, response, now)
        elif status < 300:
            if client is not self.client:
                self.core.counters.late_responses += 1
            self._pass(branch, response, now)
            if self.state != DONE:
                self.state = DONE
                if client is not self.client and self.client is not None:
                    # A hop that was given up answered first: the one tried now must stop.
                    if self.client.state == m.PROCEEDING:
                        self._cancel_branch(self._branch(self.client), now)
                    self.client = client
                self.to_peer = branch.peer
                self._report("answered", status, now)
        elif client is self.client and self.state == TRYING:
            if status == 503 and not self.cancelled:
                self._last_failure = 503
                self._try_next(now)
                return
            if status == 503:
                # §16.7 step 6: a 503 that came from downstream says nothing about us.
                self._answer(500, b"Server Internal Error", [], now)
            else:
                self._pass(branch, response, now)
                self.state = DONE
            self._report("cancelled" if self.cancelled else "failed", status, now)

    def _branch(self, client: ClientTransaction) -> Branch:
        for branch in self._branches:
            if branch.client is client:
                return branch
        raise LocalProtocolError("response of a branch this call did not start")

    def _pass(self, branch: Branch, response: Response, now: float) -> None:
        core = self.core
        screened = core.gate.screen_response(response, self.request, branch.peer, self.source.peer)
        status = response.status
        new_cookie = b""
        if self.initial and status < 300 and response.to.tag:
            new_cookie = self._caller_cookie(branch, response)
        old_cookie = branch.cookie if new_cookie else b""
        headers, replaced = forward.returned_headers(screened.headers, old_cookie, new_cookie)
        if new_cookie and not replaced:
            core.counters.record_route_lost += 1
        core.counters.sent_responses[status // 100] += 1
        data = write_response(status, response.reason, headers, screened.body)
        if 200 <= status < 300 and self.server.state >= m.COMPLETED:
            # §16.7 step 5: a 2xx is always passed on, also after another final response.
            core.layer.send(self.server.destination, data)
        else:
            self.server.respond(status, data, now)

    def _caller_cookie(self, branch: Branch, response: Response) -> bytes:
        contact = response.get(b"Contact") or b""
        key = response.to.tag + b"\0" + contact
        text = self.return_cookies.get(key)
        if text is None:
            core = self.core
            request = self.request
            cookie = Cookie(
                CALLER,
                core.epoch(self.received_at),
                self.ids.decision,
                self.source.peer.code,
                branch.peer.code,
                core.uri_hash(request.from_.uri),
                core.uri_hash(request.to.uri),
                core.contact_hash(contact),
            )
            text = core.ring.issue(cookie, request.call_id, request.from_.tag, response.to.tag)
            if len(self.return_cookies) < MAX_RETURN_COOKIES:
                self.return_cookies[key] = text
        return text

    # -- CANCEL (§16.10) -------------------------------------------------------------------------------------------

    def cancel(self, reason: Headers, now: float) -> None:
        """The caller gave up. `reason`: Reason headers of the CANCEL, passed on (RFC 3326)."""
        if self.state == DONE or self.cancelled:
            return
        self.cancelled = True
        self._cancel_reason = reason
        if self.state == PARKED:
            self._answer(487, b"Request Terminated", [], now)
            return
        client = self.client
        if client is not None and client.state == m.PROCEEDING:
            self._cancel_branch(self._branch(client), now)
        # §9.1: no CANCEL before a provisional response; client_response sends it then. If no final response comes
        # either, the branch is dead after 64*T1.
        self.core.layer.timers.start(self.core.layer.values.timeout, now, self, t.TIMER_CANCELLED)

    def _cancel_branch(self, branch: Branch, now: float) -> None:
        if branch.cancelled:
            return
        branch.cancelled = True
        headers = forward.hop_by_hop(b"CANCEL", branch.headers, b"", self.request.cseq, self._cancel_reason)
        data = write_request(b"CANCEL", branch.uri, headers, b"")
        self.core.counters.sent(b"CANCEL")
        client = branch.client
        self.core.layer.new_client(client.key[0], b"CANCEL", client.destination, data, None, now)

    # -- what the transactions report ------------------------------------------------------------------------------

    def client_ack(self, client: ClientTransaction, response: Response) -> bytes:
        """`ClientUser`: ACK for a 300–699, hop by hop."""
        branch = self._branch(client)
        to = response.get(b"To") or b""
        headers = forward.hop_by_hop(b"ACK", branch.headers, to, self.request.cseq, [])
        return write_request(b"ACK", branch.uri, headers, b"")

    def client_timeout(self, client: ClientTransaction, now: float) -> None:
        """`ClientUser`: timer B."""
        if client is self.client and self.state == TRYING:
            self._last_failure = self._last_failure or 408
            self._try_next(now)

    def client_error(self, client: ClientTransaction, now: float) -> None:
        """`ClientUser`: the message could not be sent."""
        if client is self.client and self.state == TRYING:
            self._last_failure = self._last_failure or 503
            self._try_next(now)

    def server_ack(self, server: ServerTransaction, request: Request, now: float) -> None:
        """`ServerUser`: an ACK for our 2xx that carries the INVITE's branch."""
        self.core.forward_ack(request, self.source, now)

    def server_failed(self, server: ServerTransaction, now: float) -> None:
        """`ServerUser`: nobody acknowledged our final response; there is nothing left to do for a proxy."""

    def timer_fired(self, timer: int, now: float) -> None:
        """`Expiring`: timer C, the first-response limit, the end of a cancelled branch."""
        if self.state != TRYING:
            return
        if timer == t.TIMER_FIRST_RESPONSE:
            waited = now - self._started >= self.core.layer.values.first_response - 1e-6
            if waited and not self._heard and not self.cancelled:
                if self.client is not None:
                    self.client.message = b""  # no more retransmissions; late responses still match
                self._last_failure = 408
                self._try_next(now)
        elif timer == t.TIMER_CANCELLED:
            self._answer(487, b"Request Terminated", [], now)
            self._report("cancelled", 487, now)
        elif now >= self._timer_c_at - 1e-6:
            # §16.8: a branch that rings for ever is cancelled, and the caller gets 408.
            if self.client is not None and self.client.state == m.PROCEEDING:
                self._cancel_branch(self._branch(self.client), now)
            self._answer(408, b"Request Timeout", [], now)
            self._report("timeout", 408, now)
        else:
            rest = min(TIMER_C_STEP, self._timer_c_at - now)
            self.core.layer.timers.start(rest, now, self, t.TIMER_C)

    # -- the end ---------------------------------------------------------------------------------------------------

    def _answer(self, status: int, phrase: bytes, headers: Headers, now: float) -> None:
        self.state = DONE
        data = reply.local_response(self.request, self.top_via, status, phrase, self.ids.tag, headers)
        self.core.counters.sent_responses[status // 100] += 1
        self.server.respond(status, data, now)

    def _report(self, result: str, status: int, now: float) -> None:
        if self.initial:
            self.core.gate.outcome(self, result, status, now)


def record_route(destination: Destination, cookie: bytes) -> bytes:
    """Our Record-Route value towards `destination` (§16.6 step 4)."""
    transport = b";transport=tcp" if destination.reliable else b""
    return b"<sip:" + destination.sent_by + transport + b";lr;" + PARAMETER + b"=" + cookie + b">"
