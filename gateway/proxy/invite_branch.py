"""One branch of an INVITE: the client transaction towards one next hop, and what it was sent with (RFC 3261 §16.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway.proxy import forward, record_route
from gateway.proxy.peer import Destination, Peer
from gateway.sip.message import Headers, Response
from gateway.sip.writer import write_request
from gateway.transaction import machines as m
from gateway.transaction import timers as t
from gateway.transaction.transactions import ClientTransaction

if TYPE_CHECKING:
    from gateway.proxy.call import Call

TIMER_C_STEP: Final = 32.0
"""Timer C is looked at this often, so that a finished call is not held in the timer queue for three minutes."""

MAX_RETURN_COOKIES: Final = 16
"""Cookies kept per branch for repeated responses; a call forked downstream into more legs has them made again."""

MAX_RETURN_KEY: Final = 1_024
"""Octets of To tag, Contact and Record-Routes that a cookie is kept for."""

_NONE: Final[list[Any]] = []
_NO_COOKIES: Final[dict[bytes, list[bytes]]] = {}
"""Shared by all that are slim: nobody changes them."""


class Branch:
    """`ClientUser` and `Expiring`. Sent as soon as it is made."""

    __slots__ = (
        "_back",
        "_returned",
        "_routes",
        "_timer_c_at",
        "_towards",
        "call",
        "cancelled",
        "client",
        "cookie",
        "headers",
        "peer",
        "plain",
        "switched",
        "uri",
    )

    def __init__(self, call: Call, index: int, peer: Peer, destination: Destination, now: float) -> None:
        """`index`: how many hops were tried before."""
        self.call = call
        self.peer = peer
        self.cancelled = False
        self._returned: dict[bytes, list[bytes]] = {}
        """By `returned_routes`' key, while the call is set up."""
        core = call.core
        branch = call.ids.branch + b".%d" % index if index else call.ids.branch
        self.uri = call.request.uri
        self.cookie = b""
        """Text of the callee's cookie in the forwarded request; empty on a re-INVITE."""
        self._routes: list[bytes] = []
        """Our Record-Route values in the forwarded request; empty where they are to be written anew."""
        self.plain = self._towards = destination
        self._back = call.source.reply
        if call.initial:
            self.uri = b"sip:%b@%b;user=phone" % (call.target, destination.host_port)
        self.headers: Headers = []
        """As sent; what an ACK or CANCEL of this branch is made from."""
        data = self._written(destination, branch)
        large = destination.large
        self.switched = large is not None and len(data) > forward.LARGE_REQUEST and not call.datagrams_only
        """It left by TCP for its size alone (§18.1.1)."""
        if large is not None and self.switched:
            self._towards = destination = large
            data = self._written(destination, branch)
        core.counters.sent(b"INVITE")
        self.client: ClientTransaction = core.layer.new_client(branch, b"INVITE", destination, data, self, now)
        values = core.layer.values
        self._timer_c_at = now + values.c
        core.layer.timers.start(min(TIMER_C_STEP, values.c), now, self, t.TIMER_C)

    def _written(self, destination: Destination, branch: bytes) -> bytes:
        call = self.call
        if call.initial:
            core = call.core
            self.cookie = core.dialogs.callee_cookie(call, self.peer, destination, core.epoch(call.received_at))
            self._routes = forward.record_routes(destination, self._back, self.cookie)
        self.headers = forward.forwarded_headers(
            call.headers, destination.via + branch, call.top_via, call.request.max_forwards, self._routes
        )
        return write_request(b"INVITE", self.uri, self.headers, call.body)

    def returned_routes(self, response: Response) -> list[bytes]:
        """The Record-Route values of a 1xx or 2xx as they go back (§16.7 step 8): the answering side's own, ours with
        the caller's cookie, whatever became of them on the way, and those the request came with."""
        call = self.call
        core = call.core
        ours = self._routes or forward.record_routes(self._towards, self._back, self.cookie)
        found = record_route.values(response.headers)
        above: list[bytes] = []
        if found != ours + call.below:
            cookie = self.cookie
            if not [value for value in found if value.find(cookie) >= 0]:
                cookie = core.dialogs.earlier_cookie(call, response)
                core.counters.record_route_lost += not cookie
            above = record_route.above_ours(found, cookie, call.below, self.peer, core.dialogs.own)
        if not response.to.tag:  # no dialog, so no cookie of the caller's
            return [*above, *ours, *call.below]
        contact = response.get(b"Contact") or b""
        key = b"\0".join((response.to.tag, contact, *above))
        routes = self._returned.get(key)
        if routes is None:
            issued = core.epoch(call.received_at)
            text = core.dialogs.caller_cookie(call, self.peer, self._towards, response, contact, above, issued)
            routes = [*above, *forward.record_routes(self._towards, self._back, text), *call.below]
            if call.branch is self and len(self._returned) < MAX_RETURN_COOKIES and len(key) <= MAX_RETURN_KEY:
                self._returned[key] = routes
        return routes

    def slim(self) -> None:
        """The call is decided: only what an ACK or CANCEL of this branch is made from is still needed. What a response
        that comes again would need is made again from the cookie."""
        # Once it has a final response neither can follow: the ACK of a failure is made already.
        if self.client.state <= m.PROCEEDING:
            self.headers = forward.hop_by_hop_parts(self.headers)
        else:
            self.headers = _NONE
            self.uri = b""
        self._returned = _NO_COOKIES
        self._routes = _NONE

    def restart_timer_c(self, now: float) -> None:
        """A provisional response came: it may go on ringing for another Timer C."""
        self._timer_c_at = now + self.call.core.layer.values.c

    def cancel(self, reason: Headers, now: float) -> None:
        """Send a CANCEL, once, and only where a provisional response came (§9.1). `reason`: its Reason headers."""
        if self.cancelled or self.client.state != m.PROCEEDING:
            return
        self.cancelled = True
        call = self.call
        headers = forward.hop_by_hop(b"CANCEL", self.headers, b"", call.request.cseq, reason)
        data = write_request(b"CANCEL", self.uri, headers, b"")
        call.core.counters.sent(b"CANCEL")
        client = self.client
        call.core.layer.new_client(client.branch, b"CANCEL", client.destination, data, None, now)
        client.cancelled(now)

    def abandon(self, now: float) -> None:
        """Nobody waits for this hop any more: cancel it where it rings, else stop asking it."""
        self.slim()
        self.client.stop_resending()
        self.cancel([], now)

    # -- ClientUser and Expiring -----------------------------------------------------------------------------------

    def client_response(self, client: ClientTransaction, response: Response, now: float) -> None:
        """`ClientUser`."""
        status = response.status
        if status < 200:
            self.call.provisional(self, response, now)
        elif status < 300:
            self.call.success(self, response, now)
        else:
            self.call.final(self, response, now)

    def client_ack(self, client: ClientTransaction, response: Response) -> bytes:
        """`ClientUser`: ACK for a 300–699, hop by hop (§17.1.1.3)."""
        to = response.get(b"To") or b""
        headers = forward.hop_by_hop(b"ACK", self.headers, to, self.call.request.cseq, [])
        return write_request(b"ACK", self.uri, headers, b"")

    def client_timeout(self, client: ClientTransaction, now: float) -> None:
        """`ClientUser`: timer B, or no final response after a CANCEL."""
        self.call.failed(self, 408, now)

    def client_error(self, client: ClientTransaction, now: float) -> None:
        """`ClientUser`: the request could not be sent (§16.9: as a 503)."""
        if self.switched:
            self.call.by_datagram(self)
        self.call.failed(self, 503, now)

    def timer_fired(self, timer: int, now: float) -> None:
        """`Expiring`: timer C, and the first-response limit, started where there is another hop to try (DESIGN §5)."""
        call = self.call
        if call.branch is not self:
            return
        if timer == t.TIMER_FIRST_RESPONSE:
            if self.client.state == m.CALLING:
                self.slim()
                self.client.stop_resending()  # late responses still match
                call.failed(self, 408, now)
        elif now < self._timer_c_at - 1e-6:
            # Whole seconds, so that the timer queue knows a few durations only.
            rest = -((now - self._timer_c_at) // 1.0)
            call.core.layer.timers.start(min(TIMER_C_STEP, rest), now, self, t.TIMER_C)
        else:
            # §16.8. We depart: the caller gets the 408 at once, and does not wait for a hop that may never answer the
            # CANCEL; a 2xx that crosses it is still passed on.
            self.abandon(now)
            call.rang_out(self, now)
