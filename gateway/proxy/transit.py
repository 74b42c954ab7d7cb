"""The response context of a non-INVITE request inside a dialog: BYE, UPDATE, PRACK, INFO …: one target, one answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.proxy import reply, splice
from gateway.proxy.peer import Peer
from gateway.sip.message import Request, Response
from gateway.transaction.transactions import ClientTransaction, ServerTransaction

if TYPE_CHECKING:
    from gateway.proxy.core import ProxyCore


UNANSWERED: Final = "BYE unanswered"
"""Note of an end record: timer F."""


class Transit:
    """`ServerUser` and `ClientUser` of one forwarded non-INVITE request."""

    __slots__ = ("_request", "core", "decision", "from_peer", "leg", "server", "tag", "to_peer", "top_via")

    def __init__(
        self,
        core: ProxyCore,
        request: Request,
        server: ServerTransaction,
        top_via: bytes,
        tag: bytes,
        from_peer: Peer,
        to_peer: Peer,
        decision: bytes,
        leg: bytes,
    ) -> None:
        """`decision`: id of the dialog's call; `leg`: which of its dialogs (`remembered.leg_of`)."""
        self.core = core
        self._request: Request | None = request
        """None when a final response has passed: it is not needed again, and may be large."""
        self.decision = decision
        self.leg = leg
        self.server = server
        self.top_via = top_via
        self.tag = tag
        self.from_peer = from_peer
        self.to_peer = to_peer

    def client_response(self, client: ClientTransaction, response: Response, now: float) -> None:
        """`ClientUser`: pass the response back; 100 ends here (§16.7 step 5)."""
        status = response.status
        request = self._request
        if status == 100 or request is None:
            return
        core = self.core
        if status >= 200:
            self._request = None
            # The far side's word ends the call in the records, a 481 as well as a 2xx (RFC 3261 §15.1.1).
            if request.method == b"BYE" and (status < 300 or status == 481):
                self._end(request, "")
            elif request.method == b"UPDATE" and status < 300:
                core.gate.refreshed(self.decision, response, now)
        screened = core.gate.screen_response(response, request, self.to_peer, self.from_peer)
        reason = response.reason
        if status == 503:
            status, reason = 500, b"Server Internal Error"  # §16.7 step 6
        core.counters.sent_responses[status // 100] += 1
        self.server.respond(status, splice.response(response, screened, None, status, reason), now)

    def _end(self, request: Request, note: str) -> None:
        self.core.dialogs.decisions.leg_ended(self.leg)
        self.core.gate.ended(self.decision, self.from_peer, request, note)

    def client_timeout(self, client: ClientTransaction, now: float) -> None:
        """`ClientUser`: RFC 4320 §4.2 forbids a 408 to a non-INVITE request; the sender's own timer F ends it."""
        request, self._request = self._request, None
        if request is not None and request.method == b"BYE":
            # RFC 3261 §15.1.1: a BYE that nobody answers ends the session all the same.
            self._end(request, UNANSWERED)
        self.server.give_up(now)

    def client_error(self, client: ClientTransaction, now: float) -> None:
        """`ClientUser`: as if a 503 had come (§16.9), which goes on as a 500 (§16.7 step 6)."""
        request, self._request = self._request, None
        if request is None:
            return
        self.core.counters.sent_responses[5] += 1
        data = reply.local_response(request, self.top_via, 500, b"Server Internal Error", self.tag, [])
        self.server.respond(500, data, now)

    def client_ack(self, client: ClientTransaction, response: Response) -> bytes:
        """`ClientUser`: non-INVITE requests have no ACK."""
        return b""

    def server_ack(self, server: ServerTransaction, request: Request, now: float) -> None:
        """`ServerUser`: non-INVITE requests have no ACK."""

    def server_failed(self, server: ServerTransaction, now: float) -> None:
        """`ServerUser`: the response could not be sent; the sender will repeat its request."""
