"""The proxy core: the few verbs the shell calls.

`receive` takes a datagram that came from a known peer, `expire` the timers; the gate answers through `call.Call.admit` and
`refuse`. Nothing here waits, and any bytes lead to a response, a forwarded message or a count.
"""

from __future__ import annotations

from gateway.proxy import forward, reply, route
from gateway.proxy.branch import Identifiers, derive, is_loop, loop_hash
from gateway.proxy.call import Call
from gateway.proxy.cookie import COOKIE_LENGTH, Cookie, CookieRing, short_hash
from gateway.proxy.peer import Peer, Source
from gateway.proxy.ports import Counters, Gate, Refused
from gateway.proxy.transit import Transit
from gateway.proxy.validate import ALLOW, validate
from gateway.sip.errors import RemoteProtocolError
from gateway.sip.message import Headers, Request, Response
from gateway.sip.nameaddr import parse_name_addr
from gateway.sip.parser import is_keepalive, parse
from gateway.sip.uri import canonical_uri, parse_uri, unescape
from gateway.sip.writer import error_response, write_request
from gateway.transaction.keys import invite_key, server_key
from gateway.transaction.layer import TransactionLayer

OLD_COOKIE_METHODS = frozenset((b"ACK", b"BYE", b"CANCEL", b"PRACK"))
"""What a cookie still passes when it is older than its lifetime (DESIGN §5)."""

MAX_REMEMBERED_URIS = 4096
"""Canonical hashes kept of recently seen URIs; a call's From and To come back in each of its messages."""

_KNOWN_METHODS = frozenset(
    (b"INVITE", b"ACK", b"BYE", b"CANCEL", b"OPTIONS", b"PRACK", b"UPDATE", b"INFO")
    + (b"REGISTER", b"MESSAGE", b"SUBSCRIBE", b"NOTIFY", b"REFER", b"PUBLISH")
)


class ProxyCore:
    """One worker's proxy."""

    __slots__ = (
        "_cookie_lifetime",
        "_hashes",
        "_own",
        "_secret",
        "_sent_bys",
        "counters",
        "draining",
        "epoch_offset",
        "gate",
        "layer",
        "ring",
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
    ) -> None:
        self.layer = layer
        self.gate = gate
        self.ring = ring
        self.counters = Counters()
        self.draining = False
        self.epoch_offset = 0.0
        """Epoch seconds = `now` + this; the shell keeps it true."""
        self._secret = secret
        self._own = own
        self._sent_bys = sent_bys
        self._cookie_lifetime = cookie_lifetime
        self._hashes: dict[bytes, bytes] = {}

    # -- verbs -----------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, source: Source, now: float) -> None:
        """A datagram, or a whole stream message, from a known peer."""
        try:
            message = parse(data)
        except RemoteProtocolError as error:
            if is_keepalive(data):
                return
            self._unparsable(error, source)
            return
        if isinstance(message, Response):
            self._response(message, source, now)
        else:
            self._request(message, source, now)

    def expire(self, now: float) -> None:
        """Run the timers due at `now`."""
        self.layer.timers.expire(now)

    # -- services to the response contexts -------------------------------------------------------------------------

    def epoch(self, now: float) -> int:
        """`now` as epoch seconds."""
        return int(now + self.epoch_offset)

    def uri_hash(self, uri: bytes) -> bytes:
        """Six bytes for the canonical form of a URI; of the raw bytes where it cannot be read."""
        found = self._hashes.get(uri)
        if found is None:
            try:
                found = short_hash(canonical_uri(parse_uri(uri)))
            except RemoteProtocolError:
                found = short_hash(uri)
            if len(self._hashes) >= MAX_REMEMBERED_URIS:
                self._hashes.clear()
            self._hashes[uri] = found
        return found

    def header_hash(self, value: bytes) -> bytes:
        """`uri_hash` of a From or To value."""
        return self.uri_hash(parse_name_addr(value).uri)

    def contact_hash(self, contact: bytes) -> bytes:
        """Hash of the number in a Contact; `NO_HASH` where there is none."""
        try:
            return short_hash(_number_in(parse_name_addr(contact).uri)) if contact else short_hash(b"")
        except RemoteProtocolError:
            return short_hash(b"")

    def forward_ack(self, request: Request, source: Source, now: float) -> None:
        """An ACK for a 2xx: passed statelessly inside its dialog, or dropped."""
        routing = route.read_routes(request, self._own)
        found = self._dialog(request, source, routing, now)
        if isinstance(found, str):
            self.counters.drop("ack-" + found)
            return
        if request.max_forwards == 0:
            self.counters.drop("ack-max-forwards")
            return
        _, peer = found
        destination = route.dialog_target(routing, peer)
        if destination is None:
            self.counters.drop("ack-route-forced")
            return
        screened = self.gate.screen_request(request, source.peer, peer)
        if screened.refusal:
            self.counters.drop("ack-" + screened.refusal)
            return
        ids = derive(self._secret, server_key(request, source.peer.key), request, b"ack")
        headers = forward.without_own_routes(screened.headers, routing.own_routes)
        top_via = request.via.stamped(source.host, source.port)
        headers = forward.forwarded_headers(
            headers, destination.via + ids.branch, top_via, request.max_forwards, []
        )
        self.counters.sent(b"ACK")
        self.layer.send(destination, write_request(b"ACK", request.uri, headers, screened.body))

    # -- messages --------------------------------------------------------------------------------------------------

    def _unparsable(self, error: RemoteProtocolError, source: Source) -> None:
        tag = short_hash(b"".join(error.salvage.vias) if error.salvage else b"-").hex().encode()
        answer = error_response(error, source.host, source.port, tag)
        if answer is None:
            self.counters.drop("unparsable")
            return
        self.counters.sent_responses[error.status // 100] += 1
        self.layer.send(source.reply, answer)

    def _response(self, response: Response, source: Source, now: float) -> None:
        self.counters.received_responses[response.status // 100] += 1
        client = self.layer.client_of(response)
        if client is None:
            # RFC 6026 §7.2: a proxy must not forward a response that matches no transaction.
            self.counters.drop("stray-response")
            return
        host = client.destination.address[0]
        if host != source.reply.address[0] and source.peer.reach(host.encode(), 0) is None:
            self.counters.drop("response-of-another-peer")
            return
        client.receive(response, now)

    def _request(self, request: Request, source: Source, now: float) -> None:
        method = request.method
        received = self.counters.received_requests
        counted = method if method in _KNOWN_METHODS else b"other"
        received[counted] = received.get(counted, 0) + 1
        key = server_key(request, source.peer.key)
        if self.layer.absorb_request(key, request, now):
            return
        if method == b"ACK":
            self.forward_ack(request, source, now)
            return
        if method == b"CANCEL":
            self._cancel(request, source, key, now)
            return
        if request.to.tag:
            self._in_dialog(request, source, key, now)
        elif method == b"INVITE":
            self._invite(request, source, key, now)
        elif method == b"OPTIONS":
            self._options(request, source, key)
        else:
            self._refuse(request, source, key, "method", method.decode("ascii", "replace"))

    def _invite(self, request: Request, source: Source, key: tuple[bytes, ...], now: float) -> None:
        if self.layer.full() and not self.gate.is_emergency(request, source.peer):
            self._refuse(request, source, key, "overload", "transactions")
            return
        loop = loop_hash(request, source.peer.key)
        ids = derive(self._secret, key, request, loop)
        refused = validate(request)
        if refused is None and is_loop(request, self._sent_bys, loop):
            refused = Refused(482, b"Loop Detected", [])
        if refused is not None:
            self._answer(request, source, ids, refused)
            return
        top_via = request.via.stamped(source.host, source.port)
        routing = route.read_routes(request, self._own)
        if routing.own_routes:
            request.headers = forward.without_own_routes(request.headers, routing.own_routes)
        server = self.layer.new_server(key, True, reply.answer_destination(request, source))
        call = Call(self, request, source, server, ids, top_via, True, now)
        # §16.2: 100 at once, so that the caller stops retransmitting while the gate thinks.
        self.counters.sent_responses[1] += 1
        server.respond(100, reply.local_response(request, top_via, 100, b"Trying", b"", []), now)
        self.gate.admit(call, now)

    def _in_dialog(self, request: Request, source: Source, key: tuple[bytes, ...], now: float) -> None:
        routing = route.read_routes(request, self._own)
        found = self._dialog(request, source, routing, now)
        if isinstance(found, str):
            self._refuse(request, source, key, found, request.method.decode("ascii", "replace"))
            return
        cookie, peer = found
        refused = validate(request)
        if refused is not None:
            self._answer(request, source, derive(self._secret, key, request, b""), refused)
            return
        destination = route.dialog_target(routing, peer)
        if destination is None or not self._lawful_target(request, cookie, peer):
            self._refuse(request, source, key, "route-forced", "in-dialog target")
            return
        screened = self.gate.screen_request(request, source.peer, peer)
        if screened.refusal:
            self._refuse(request, source, key, screened.refusal, screened.detail)
            return
        if self.layer.full():
            self._refuse(request, source, key, "overload", "transactions")
            return
        headers = forward.without_own_routes(screened.headers, routing.own_routes)
        method = request.method
        server = self.layer.new_server(key, method == b"INVITE", reply.answer_destination(request, source))
        ids = derive(self._secret, key, request, b"")
        top_via = request.via.stamped(source.host, source.port)
        if method == b"INVITE":
            call = Call(self, request, source, server, ids, top_via, False, now)
            self.counters.sent_responses[1] += 1
            server.respond(100, reply.local_response(request, top_via, 100, b"Trying", b"", []), now)
            call.forward_to(headers, screened.body, peer, destination, now)
            return
        if method == b"BYE":
            self.gate.ended(cookie.decision, source.peer, request)
        transit = Transit(self, request, server, source.peer, peer)
        headers = forward.forwarded_headers(
            headers, destination.via + ids.branch, top_via, request.max_forwards, []
        )
        self.counters.sent(method)
        data = write_request(method, request.uri, headers, screened.body)
        self.layer.new_client(ids.branch, method, destination, data, transit, now)

    def _dialog(
        self, request: Request, source: Source, routing: route.Routing, now: float
    ) -> tuple[Cookie, Peer] | str:
        """The dialog an in-dialog request belongs to and the peer it may leave to, or the rule that refuses it."""
        if len(routing.cookie) != COOKIE_LENGTH:
            return "dialog-forged"
        cookie = self.ring.read(routing.cookie, request.call_id, request.from_.tag, request.to.tag)
        if cookie is None or cookie.own != source.peer.code:
            return "dialog-forged"
        peer = self.gate.peer_by_code(cookie.peer)
        if peer is None:
            return "dialog-forged"
        age = self.epoch(now) - cookie.issued
        if age > self._cookie_lifetime and request.method not in OLD_COOKIE_METHODS:
            return "dialog-forged"
        # The callee's From is what the INVITE had as To, and the other way round (§12.2.1.1).
        mine, theirs = self.uri_hash(request.from_.uri), self.uri_hash(request.to.uri)
        bound = (cookie.from_hash, cookie.to_hash) if cookie.kind else (cookie.to_hash, cookie.from_hash)
        if (mine, theirs) != bound:
            return "dialog-identity"
        return cookie, peer

    def _lawful_target(self, request: Request, cookie: Cookie, peer: Peer) -> bool:
        """Toward the core, a Request-URI that reads as a number must be the gated callee or the bound Contact's."""
        if peer.access:
            return True
        number = _number_in(request.uri)
        if not number:
            return True
        return number == _number_in(request.to.uri) or short_hash(number) == cookie.contact_hash

    def _cancel(self, request: Request, source: Source, key: tuple[bytes, ...], now: float) -> None:
        """§16.10. The CANCEL itself is answered statelessly: a repeated one gets the same answer."""
        ids = derive(self._secret, key, request, b"")
        server = self.layer.servers.get(invite_key(request, source.peer.key))
        if server is None:
            self._answer(request, source, ids, Refused(481, b"Call/Transaction Does Not Exist", []))
            return
        self._answer(request, source, ids, Refused(200, b"OK", []))
        call = server.user
        if isinstance(call, Call):
            reasons: Headers = [(b"Reason", value) for value in request.get_all(b"Reason")]
            call.cancel(reasons, now)

    def _options(self, request: Request, source: Source, key: tuple[bytes, ...]) -> None:
        """§11.2: an OPTIONS out of a dialog asks this gateway. Answered statelessly."""
        ids = derive(self._secret, key, request, b"")
        if self.draining:
            refused = self.gate.refused("draining", "OPTIONS", request, source, b"")
        else:
            refused = Refused(200, b"OK", [(b"Allow", ALLOW), (b"Accept", b"application/sdp")])
        self._answer(request, source, ids, refused)

    # -- answers made without a transaction ------------------------------------------------------------------------

    def _refuse(
        self, request: Request, source: Source, key: tuple[bytes, ...], rule: str, detail: str
    ) -> None:
        ids = derive(self._secret, key, request, b"")
        refused = self.gate.refused(rule, detail, request, source, ids.decision)
        if rule == "method":
            refused.headers.append((b"Allow", ALLOW))
        self._answer(request, source, ids, refused)

    def _answer(self, request: Request, source: Source, ids: Identifiers, refused: Refused) -> None:
        top_via = request.via.stamped(source.host, source.port)
        data = reply.local_response(
            request, top_via, refused.status, refused.phrase, ids.tag, refused.headers
        )
        self.counters.sent_responses[refused.status // 100] += 1
        self.layer.send(reply.answer_destination(request, source), data)


def _number_in(uri: bytes) -> bytes:
    """Digits of a URI's user part where it reads as a telephone number; b"" else."""
    try:
        parsed = parse_uri(uri)
    except RemoteProtocolError:
        return b""
    return route.digits_of(unescape(parsed.user) if parsed.user else None)
