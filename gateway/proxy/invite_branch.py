"""One branch of an INVITE: the client transaction towards one next hop, and what it was sent with (RFC 3261 §16.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.proxy import forward
from gateway.proxy.peer import Destination, Peer
from gateway.sip.message import Headers, Response
from gateway.sip.writer import write_request
from gateway.transaction import machines as m
from gateway.transaction import timers as t
from gateway.transaction.transactions import ClientTransaction

if TYPE_CHECKING:
    from gateway.proxy.call import Call

TIMER_C_STEP = 32.0
"""Timer C is looked at this often, so that a finished call is not held in the timer queue for three minutes."""

MAX_RETURN_COOKIES = 16
"""Cookies kept per branch for repeated responses; a call forked downstream into more legs has them made again."""


class Branch:
    """`ClientUser` and `Expiring`. Sent as soon as it is made."""

    __slots__ = ("_returned", "_timer_c_at", "call", "cancelled", "client", "cookie", "headers", "peer", "uri")

    def __init__(self, call: Call, index: int, peer: Peer, destination: Destination, now: float) -> None:
        """`index`: how many hops were tried before."""
        self.call = call
        self.peer = peer
        self.cancelled = False
        self._returned: dict[bytes, bytes] = {}
        core = call.core
        branch = call.ids.branch + b".%d" % index if index else call.ids.branch
        self.uri = call.request.uri
        self.cookie = b""
        """Text of the callee's cookie in the forwarded request; empty on a re-INVITE."""
        routes: list[bytes] = []
        if call.initial:
            self.uri = b"sip:%b@%b;user=phone" % (call.target, destination.host_port)
            self.cookie = core.dialogs.callee_cookie(call, peer, core.epoch(call.received_at))
            routes = forward.record_routes(destination, call.source.reply, self.cookie)
        self.headers = forward.forwarded_headers(
            call.headers, destination.via + branch, call.top_via, call.request.max_forwards, routes
        )
        """As sent; what an ACK or CANCEL of this branch is made from."""
        data = write_request(b"INVITE", self.uri, self.headers, call.body)
        core.counters.sent(b"INVITE")
        self.client: ClientTransaction = core.layer.new_client(branch, b"INVITE", destination, data, self, now)
        values = core.layer.values
        self._timer_c_at = now + values.c
        core.layer.timers.start(min(TIMER_C_STEP, values.c), now, self, t.TIMER_C)

    def caller_cookie(self, response: Response) -> bytes:
        """The caller's cookie for a 1xx or 2xx with a To tag; the same text for the same tag and Contact."""
        contact = response.get(b"Contact") or b""
        key = response.to.tag + b"\0" + contact
        text = self._returned.get(key)
        if text is None:
            core = self.call.core
            issued = core.epoch(self.call.received_at)
            text = core.dialogs.caller_cookie(self.call, self.peer, response, contact, issued)
            if len(self._returned) < MAX_RETURN_COOKIES:
                self._returned[key] = text
        return text

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
        call.core.layer.new_client(client.key[0], b"CANCEL", client.destination, data, None, now)
        client.cancelled(now)

    def abandon(self, now: float) -> None:
        """Nobody waits for this hop any more: cancel it where it rings, else stop asking it."""
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
        self.call.failed(self, 503, now)

    def timer_fired(self, timer: int, now: float) -> None:
        """`Expiring`: timer C, and the first-response limit, started where there is another hop to try (DESIGN §5)."""
        call = self.call
        if call.branch is not self:
            return
        if timer == t.TIMER_FIRST_RESPONSE:
            if self.client.state == m.CALLING:
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
