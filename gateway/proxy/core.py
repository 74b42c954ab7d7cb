"""The proxy core: the few verbs the shell calls.

`receive` takes a datagram that came from a known peer, `expire` the timers; the gate answers through `call.Call.admit`
and `refuse`. Nothing here waits, and any bytes lead to a response, a forwarded message or a count.
"""

from __future__ import annotations

from gateway.proxy import forward, reply, route, splice
from gateway.proxy.branch import Identifiers, derive, derive_again, is_loop, loop_hash
from gateway.proxy.call import Call
from gateway.proxy.cookie import CookieRing, short_hash
from gateway.proxy.dialog import ROUTE_FORCED, Dialogs
from gateway.proxy.logins import Logins, is_answer
from gateway.proxy.overload import Overload, OverloadSettings
from gateway.proxy.peer import Source
from gateway.proxy.ports import Counters, Gate, Refused, method_name
from gateway.proxy.prober import Probed
from gateway.proxy.transit import Transit
from gateway.proxy.validate import ALLOW, MAX_REQUEST, METHODS, unsupported, validate
from gateway.sip.errors import RemoteProtocolError
from gateway.sip.everyday import foresee_via
from gateway.sip.memo import forget_all
from gateway.sip.message import Headers, Request, Response
from gateway.sip.parser import is_keepalive, parse
from gateway.sip.writer import error_response
from gateway.transaction.keys import invite_key, server_key
from gateway.transaction.layer import TransactionLayer


class ProxyCore:
    """One worker's proxy."""

    __slots__ = (
        "_own",
        "_secret",
        "_sent_bys",
        "counters",
        "dialogs",
        "draining",
        "epoch_offset",
        "gate",
        "layer",
        "logins",
        "overload",
    )

    def __init__(
        self,
        layer: TransactionLayer,
        gate: Gate,
        ring: CookieRing,
        secret: bytes,
        own: route.OwnHosts,
        sent_bys: tuple[bytes, ...],
        cookie_lifetime: float = 86_400.0,
        logins: Logins | None = None,
        overload: Overload | None = None,
    ) -> None:
        """`logins`: of strangers; None where no trunk is known by digest. `overload`: fed by the shell; without one
        only full tables refuse calls."""
        self.layer = layer
        self.gate = gate
        self.dialogs = Dialogs(ring, own, cookie_lifetime)
        self.counters = Counters()
        self.draining = False
        self.overload = overload or Overload(OverloadSettings(), 0.0)
        self.epoch_offset = 0.0
        """Epoch seconds = `now` + this; the shell keeps it true."""
        self._secret = secret
        self._own = own
        self._sent_bys = sent_bys
        self.logins = logins

    # -- verbs -----------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, source: Source, now: float) -> None:
        """A datagram, or a whole stream message, from a known peer, or from a stranger who may log in."""
        if source.peer.unproven:
            self._stranger(data, source, now)
            return
        try:
            message = parse(data)
        except RemoteProtocolError as error:
            if is_keepalive(data):
                return
            self.unreadable(error, source)
            return
        if isinstance(message, Response):
            self._response(message, source, now)
        elif len(data) > MAX_REQUEST:
            self._too_large(message, source)
        else:
            self._request(message, data, source, now)

    def unreadable(self, error: RemoteProtocolError, source: Source) -> None:
        """A message that no parser takes, or a stream that cannot be read on: answered where there is somebody to
        answer, else counted."""
        tag = short_hash(b"".join(error.salvage.vias) if error.salvage else b"-").hex().encode()
        answer = error_response(error, source.host, source.port, tag)
        if answer is None:
            self.counters.drop("unparsable")
            return
        self.counters.sent_responses[error.status // 100] += 1
        self.layer.send(source.reply, answer)

    def expire(self, now: float) -> None:
        """Run the timers due at `now`."""
        self.layer.timers.expire(now)

    def shrink(self) -> None:
        """The load has gone down: let go of what was only kept to be quicker."""
        self.layer.shrink()
        self.dialogs.forget()
        forget_all()

    # -- services to the response contexts -------------------------------------------------------------------------

    def epoch(self, now: float) -> int:
        """`now` as epoch seconds."""
        return int(now + self.epoch_offset)

    def forward_ack(self, request: Request, source: Source, now: float) -> None:
        """An ACK for a 2xx: passed statelessly inside its dialog, or dropped."""
        routing = route.read_routes(request, self._own)
        found = self.dialogs.find(request, source, routing, self.gate, now + self.epoch_offset)
        if isinstance(found, str):
            self.counters.drop("ack-" + found)
            return
        if request.max_forwards == 0:
            self.counters.drop("ack-max-forwards")
            return
        _, peer, destination, leaving = found
        screened = self.gate.screen_request(leaving, source.peer, peer)
        if screened.refusal:
            self.counters.drop("ack-" + screened.refusal)
            return
        # Its branch must not be that of the INVITE whose branch it may carry.
        ids = derive(self._secret, server_key(request, source.peer.key), request, b"", b"ack")
        top_via = request.via.stamped(source.host, source.port).to_bytes()
        via = destination.via + ids.branch
        self.counters.sent(b"ACK")
        self.layer.send(destination, splice.request(leaving, screened, via, top_via, routing.taken))

    # -- messages --------------------------------------------------------------------------------------------------

    def _stranger(self, data: bytes, source: Source, now: float) -> None:
        """Whoever has not proven to be a trunk gets no answer, but for the 407 to an INVITE."""
        logins = self.logins
        if logins is None or not logins.is_worth_reading(data, source, now):
            self.counters.drop("stranger")
            return
        try:
            message = parse(data)
        except RemoteProtocolError:
            self.counters.drop("stranger")
            return
        if isinstance(message, Response):
            if is_answer(message, self, source):
                self._response(message, source, now)
            else:
                self.counters.drop("stranger")
            return
        proven = logins.source_of(self, message, source, now) if len(data) <= MAX_REQUEST else None
        if proven is not None:
            self._request(message, data, proven, now)

    def _too_large(self, request: Request, source: Source) -> None:
        """A request of more than `MAX_REQUEST` octets: 513 (RFC 3261 §21.5.7), and nothing is kept of it."""
        self.counters.received(request.method)
        if request.method == b"ACK":
            self.counters.drop("ack-too-large")
            return
        ids = derive(self._secret, server_key(request, source.peer.key), request, b"", b"too large")
        self._answer(request, source, ids, Refused(513, b"Message Too Large", []))

    def _response(self, response: Response, source: Source, now: float) -> None:
        self.counters.received_responses[response.status // 100] += 1
        client = self.layer.client_of(response)
        if client is None:
            # RFC 6026 §7.2: a proxy must not forward a response that matches no transaction.
            self.counters.drop("stray-response")
            return
        host = client.destination.address[0]
        if host != source.reply.address[0] and source.peer.reach(host.encode(), 0, b"") is None:
            self.counters.drop("response-of-another-peer")
            return
        if not forward.has_sender_via(response.headers):
            user = client.user
            if user is not None and not isinstance(user, Probed):  # a probe's request began here
                self.counters.drop("response-for-us")  # §16.7 step 3
                return
        client.receive(response, now)

    def _request(self, request: Request, data: bytes, source: Source, now: float) -> None:
        method = request.method
        self.counters.received(method)
        key = server_key(request, source.peer.key)
        if self.layer.absorb_request(key, request, now):
            return
        if method == b"ACK":
            self.forward_ack(request, source, now)
            return
        if method == b"CANCEL":
            self._cancel(request, data, source, key, now)
            return
        dialog = request.to.tag != b""
        if dialog and method in METHODS:
            self._in_dialog(request, data, source, key, now)
        elif not dialog and method == b"INVITE":
            self._invite(request, data, source, key, now)
        elif not dialog and method == b"OPTIONS":
            self._options(request, data, source, key)
        elif dialog and method == b"REFER":
            self._refuse(request, data, source, key, "transfer", "REFER")
        else:
            self._refuse(request, data, source, key, "method", method_name(method).decode())

    def _invite(self, request: Request, data: bytes, source: Source, key: bytes, now: float) -> None:
        overload = self.overload
        full = self.layer.full()
        emergency = (full or overload.pressed) and self.gate.is_emergency(request, source.peer)
        wait = overload.full() if full and not emergency else overload.admit(emergency)
        if wait:
            # No transaction, so nothing is kept of it.
            self._refuse(request, data, source, key, "overload", "transactions" if full else "delay", wait)
            return
        loop = loop_hash(request, source.peer.key)
        ids = derive(self._secret, key, request, loop, data)
        refused = validate(request)
        if refused is None and is_loop(request, self._sent_bys, loop):
            refused = Refused(482, b"Loop Detected", [])
        if refused is not None:
            self._answer(request, source, ids, refused)
            return
        before = self.dialogs.decisions.use(ids.decision)
        if before:
            ids = derive_again(self._secret, ids, loop, before, self.epoch(now))
        request.lines = []  # an INVITE leaves header by header, and is kept while the call is set up
        top_via = _stamped(request, source)
        routing = route.read_routes(request, self._own)
        if routing.taken:
            request.headers = forward.without_own_routes(request.headers, len(routing.taken))
        server = self.layer.new_server(key, True, reply.answer_destination(request, source))
        call = Call(self, request, source, server, ids, top_via, True, now)
        # §16.2: 100 at once, so that the caller stops retransmitting while the gate thinks.
        self.counters.sent_responses[1] += 1
        server.respond(100, reply.local_response(request, top_via, 100, b"Trying", b"", []), now)
        try:
            self.gate.admit(call, now)
        except Exception:
            # A fault of ours must not leave the caller waiting and the call parked for ever.
            call.refuse(Refused(500, b"Server Internal Error", []), now)
            raise

    def _in_dialog(self, request: Request, data: bytes, source: Source, key: bytes, now: float) -> None:
        routing = route.read_routes(request, self._own)
        found = self.dialogs.find(request, source, routing, self.gate, now + self.epoch_offset)
        if isinstance(found, str):
            detail = "in-dialog target" if found == ROUTE_FORCED else request.method.decode("ascii", "replace")
            self._refuse(request, data, source, key, found, detail)
            return
        cookie, peer, destination, leaving = found
        refused = validate(request)
        if refused is not None:
            self._answer(request, source, derive(self._secret, key, request, b"", data), refused)
            return
        screened = self.gate.screen_request(leaving, source.peer, peer)
        if screened.refusal:
            self._refuse(request, data, source, key, screened.refusal, screened.detail)
            return
        if self.layer.exhausted():
            self._refuse(request, data, source, key, "overload", "transactions")
            return
        method = request.method
        server = self.layer.new_server(key, method == b"INVITE", reply.answer_destination(request, source))
        ids = derive(self._secret, key, request, b"", data)
        top_via = _stamped(request, source)
        if method == b"INVITE":
            call = Call(self, request, source, server, ids, top_via, False, now)
            call.decision = cookie.decision
            self.counters.sent_responses[1] += 1
            server.respond(100, reply.local_response(request, top_via, 100, b"Trying", b"", []), now)
            headers = forward.without_own_routes(screened.headers, len(routing.taken))
            call.forward_to(headers, screened.body, peer, destination, now)
            return
        leg = self.dialogs.leg(cookie, request)
        transit = Transit(self, request, server, top_via, ids.tag, source.peer, peer, cookie.decision, leg)
        via = destination.via + ids.branch
        self.counters.sent(method)
        message = splice.request(leaving, screened, via, top_via, routing.taken)
        if destination.large is not None and len(message) > forward.LARGE_REQUEST:
            destination = destination.large
            message = splice.request(leaving, screened, destination.via + ids.branch, top_via, routing.taken)
        self.layer.new_client(ids.branch, method, destination, message, transit, now)

    def _cancel(self, request: Request, data: bytes, source: Source, key: bytes, now: float) -> None:
        """§16.10. The CANCEL itself is answered statelessly: a repeated one gets the same answer. We depart: one that
        matches no INVITE is answered 481, and not forwarded, because nothing says where it may go."""
        server = self.layer.servers.get(invite_key(request, source.peer.key))
        call = server.user if server is not None else None
        if not isinstance(call, Call):
            ids = derive(self._secret, key, request, b"", data)
            self._answer(request, source, ids, Refused(481, b"Call/Transaction Does Not Exist", []))
        else:
            # §9.2: the To tag is that of the response to the INVITE, where we make that one.
            self._answer(request, source, call.ids, Refused(200, b"OK", []))
            reasons: Headers = [(b"Reason", value) for value in request.get_all(b"Reason")]
            call.cancel(reasons, now)

    def _options(self, request: Request, data: bytes, source: Source, key: bytes) -> None:
        """§11.2: an OPTIONS out of a dialog asks this gateway. Answered statelessly."""
        ids = derive(self._secret, key, request, b"", data)
        if self.draining:
            refused = self.gate.refused("draining", "OPTIONS", request, source, b"")
        else:
            ok = [(b"Allow", ALLOW), (b"Accept", b"application/sdp")]
            refused = unsupported(request) or Refused(200, b"OK", ok)
        self._answer(request, source, ids, refused)

    # -- answers made without a transaction ------------------------------------------------------------------------

    def _refuse(
        self, request: Request, data: bytes, source: Source, key: bytes, rule: str, detail: str, wait: int = 0
    ) -> None:
        """`wait`: seconds of Retry-After; 0: as the rule has it."""
        ids = derive(self._secret, key, request, b"", data)
        refused = self.gate.refused(rule, detail, request, source, ids.decision)
        if wait:
            refused.headers = [header for header in refused.headers if header[0] != b"Retry-After"]
            refused.headers.append((b"Retry-After", b"%d" % wait))
        if rule == "method":
            refused.headers.append((b"Allow", ALLOW))
        self._answer(request, source, ids, refused)

    def _answer(self, request: Request, source: Source, ids: Identifiers, refused: Refused) -> None:
        top_via = request.via.stamped(source.host, source.port).to_bytes()
        data = reply.local_response(request, top_via, refused.status, refused.phrase, ids.tag, refused.headers)
        self.counters.sent_responses[refused.status // 100] += 1
        self.layer.send(reply.answer_destination(request, source), data)


def _stamped(request: Request, source: Source) -> bytes:
    """The sender's Via as it leaves with a request, and comes back with each response."""
    via = request.via.stamped(source.host, source.port)
    text = via.to_bytes()
    foresee_via(text, via)
    return text
