"""What a dialog's cookies bind, written into them and held against in-dialog requests (DESIGN §5, Dialog cookies)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.proxy import record_route, route
from gateway.proxy.cookie import BOUND_LENGTH, CALLEE, CALLER, COOKIE_LENGTH, Cookie, CookieRing, short_hash
from gateway.proxy.located import pack_address
from gateway.proxy.peer import Destination, Peer, Source
from gateway.proxy.ports import Gate
from gateway.proxy.remembered import Decisions, leg_of
from gateway.proxy.target import CONFIRMING, Bound, find_target
from gateway.sip.errors import RemoteProtocolError
from gateway.sip.memo import remember
from gateway.sip.message import Headers, Request, Response, first_value
from gateway.sip.nameaddr import NameAddr, parse_name_addr
from gateway.sip.names import FROM, TO
from gateway.sip.uri import canonical_uri, parse_uri, unescape

if TYPE_CHECKING:
    from gateway.proxy.call import Call

OLD_COOKIE_METHODS: Final = frozenset((b"ACK", b"BYE", b"CANCEL", b"PRACK"))
"""What a cookie still passes when it is older than its lifetime."""

REFRESHES: Final = frozenset((b"INVITE", b"UPDATE"))
"""What a cookie passes only while its call may be up: these could begin a call anew, or move it."""

NOBODY: Final = b"sip:anonymous@anonymous.invalid"
"""RFC 3323 §4.1.1.3."""

MAX_REMEMBERED_URIS = 4096
"""Canonical hashes kept of recently seen URIs; a call's From and To come back in each of its messages."""

MAX_REMEMBERED_LENGTH: Final = 300
"""Octets of a URI that is remembered; longer ones are read again each time."""

FORGED: Final = "dialog-forged"
IDENTITY: Final = "dialog-identity"
ROUTE_FORCED: Final = "route-forced"


class Dialogs:
    """Makes the cookies of one worker's dialogs, and judges the requests that bring them back."""

    __slots__ = ("_hashes", "_lifetime", "_ring", "decisions", "own")

    def __init__(self, ring: CookieRing, own: route.OwnHosts, lifetime: float) -> None:
        """`lifetime`: seconds after which a cookie passes `OLD_COOKIE_METHODS` only."""
        self._ring = ring
        self.own = own
        self.decisions = Decisions()
        self._lifetime = lifetime
        self._hashes: dict[bytes, bytes] = {}

    def forget(self) -> None:
        """Forget what was read of cookies and URIs: it can be read again."""
        self._hashes.clear()
        self._ring.forget()

    # -- written ---------------------------------------------------------------------------------------------------

    def callee_cookie(self, call: Call, peer: Peer, destination: Destination, issued: int) -> bytes:
        """The cookie for the request that leaves to `peer` at `destination`: From and To as that side sees them."""
        request = call.request
        bound = Bound(request.get(b"Contact"), call.below, self.own, not call.source.peer.access)
        # Screening may have spelled From or To plainly, or put an emergency CLI into From.
        from_hash = self._seen(call.headers, request, b"From", request.from_.uri)
        to_hash = self._seen(call.headers, request, b"To", request.to.uri)
        return self._issue(CALLEE, call, peer, destination, from_hash, to_hash, bound, issued, b"")

    def caller_cookie(
        self,
        call: Call,
        peer: Peer,
        destination: Destination,
        response: Response,
        contact: bytes,
        above: list[bytes],
        issued: int,
    ) -> bytes:
        """The cookie for the caller's route set, from a 1xx or 2xx with this Contact and these Record-Route values
        above ours. It came from `peer`, which was asked at `destination`."""
        request = call.request
        bound = Bound(contact, above[::-1], self.own, not peer.access)
        from_hash, to_hash = self.uri_hash(request.from_.uri), self.uri_hash(request.to.uri)
        return self._issue(CALLER, call, peer, destination, from_hash, to_hash, bound, issued, response.to.tag)

    def _issue(
        self,
        kind: int,
        call: Call,
        peer: Peer,
        destination: Destination,
        from_hash: bytes,
        to_hash: bytes,
        bound: Bound,
        issued: int,
        callee_tag: bytes,
    ) -> bytes:
        asking = call.source.peer
        cookie = Cookie(
            kind,
            issued,
            call.ids.decision,
            peer.code if kind == CALLEE else asking.code,
            asking.code if kind == CALLEE else peer.code,
            from_hash,
            to_hash,
            bound.contact_user,
            bound.contact_uri,
            bound.contact_host,
            bound.route_host,
            bound.routes,
            _place(call, peer, destination),
        )
        request = call.request
        return self._ring.issue(cookie, request.call_id, request.from_.tag, callee_tag)

    def earlier_cookie(self, call: Call, response: Response) -> bytes:
        """The callee's cookie that this call was forwarded with before a restart, which differs in its issue time; b""
        where the response's Record-Routes hold none."""
        request = call.request
        for value in record_route.values(response.headers):
            text = route.own_cookie(value, self.own)
            if text:
                cookie = self._ring.read(text, request.call_id, response.to.tag, request.from_.tag)
                if cookie is not None and cookie.kind == CALLEE and cookie.decision == call.ids.decision:
                    return text
        return b""

    # -- held against a request ------------------------------------------------------------------------------------

    def read(self, request: Request, routing: route.Routing) -> Cookie | None:
        """The cookie an in-dialog request brings back, None where there is none of ours for its dialog."""
        if len(routing.cookie) != COOKIE_LENGTH and len(routing.cookie) != BOUND_LENGTH:
            return None
        return self._ring.read(routing.cookie, request.call_id, request.from_.tag, request.to.tag)

    def find(
        self, request: Request, source: Source, routing: route.Routing, gate: Gate, epoch: float
    ) -> tuple[Cookie, Peer, Destination, Request] | str:
        """The dialog an in-dialog request belongs to, the peer it may leave to, where, and as what; or the rule it
        breaks."""
        cookie = self.read(request, routing)
        if cookie is None or cookie.own != source.peer.code:
            return FORGED
        if source.peer.digest and source.peer.bound != cookie.bound:
            return FORGED
        peer = gate.peer_by_code(cookie.peer)
        if peer is not None and peer.digest:
            peer = gate.peer_at(cookie.peer, cookie.bound)
        if peer is None:
            return FORGED
        if epoch - cookie.issued > self._lifetime and request.method not in OLD_COOKIE_METHODS:
            return FORGED
        if request.method in REFRESHES and self._is_over(cookie, request, gate):
            return FORGED
        # The callee's From is what the INVITE had as To, and the other way round (§12.2.1.1).
        mine, theirs = self.uri_hash(request.from_.uri), self.uri_hash(request.to.uri)
        if cookie.kind == CALLEE:
            mine, theirs = theirs, mine
        leaving = request
        if mine != cookie.from_hash or theirs != cookie.to_hash:
            if request.method not in CONFIRMING:
                return IDENTITY
            leaving = anonymous(request)
        destination = find_target(leaving, routing, peer, cookie)
        if destination is None:
            return ROUTE_FORCED
        return cookie, peer, destination, leaving

    def _is_over(self, cookie: Cookie, request: Request, gate: Gate) -> bool:
        """True when the call is known to be over, or, for an INVITE of its callee, not to be up yet: he answers before
        he may ask (RFC 3261 §14.1), so that would be a call of his own."""
        decisions = self.decisions
        if decisions.failed(cookie.decision):
            return True
        if gate.is_ended(cookie.decision) and not decisions.leg_is_up(self.leg(cookie, request)):
            return True
        return request.method == b"INVITE" and cookie.kind == CALLEE and decisions.unanswered(cookie.decision)

    @staticmethod
    def leg(cookie: Cookie, request: Request) -> bytes:
        """The dialog of an in-dialog request with this cookie."""
        return leg_of(cookie.decision, request.from_.tag if cookie.kind == CALLEE else request.to.tag)

    def uri_hash(self, uri: bytes) -> bytes:
        """Six bytes for the canonical form of a URI with all its parameters; of the raw bytes where it cannot be
        read."""
        found = self._hashes.get(uri)
        if found is None:
            found = short_hash(_canonical(uri))
            if len(uri) > MAX_REMEMBERED_LENGTH:
                return found
            remember(self._hashes, MAX_REMEMBERED_URIS, uri, found)
        return found

    def _seen(self, headers: Headers, request: Request, name: bytes, uri: bytes) -> bytes:
        sent = first_value(headers, name)
        if sent is None or sent == first_value(request.headers, name):
            return self.uri_hash(uri)
        return self.uri_hash(parse_name_addr(sent).uri)


def anonymous(request: Request) -> Request:
    """A request of a dialog with nobody's URIs in From and To: only their tags say which dialog it is (RFC 3261
    §12.2.2). A call that could not be ended, because somebody in between rewrote a URI, would be worse than any name in
    its BYE; but no name that was not judged leaves."""
    from_, to = (
        NameAddr(b"", NOBODY, b"tag=" + party.tag if party.tag else b"", party.tag)
        for party in (request.from_, request.to)
    )
    values = {FROM: _value(from_), TO: _value(to)}
    headers = [(name, values.get(name, value)) for name, value in request.headers]
    return Request(
        request.method, request.uri, request.target, headers, request.body, request.via, from_, to, request.call_id,
        request.cseq, request.max_forwards,
    )  # fmt: skip


def _value(address: NameAddr) -> bytes:
    return b"<" + address.uri + b">" + (b";" + address.params if address.params else b"")


def _place(call: Call, peer: Peer, destination: Destination) -> bytes:
    """Where a digest trunk's side of this dialog is: the caller where he logged in, or the hop that was asked."""
    if call.source.peer.digest:
        return call.source.peer.bound
    return pack_address(destination) if peer.digest else b""


def _canonical(uri: bytes) -> bytes:
    """A URI in its canonical form, with every parameter: one that was added would be read by whoever knows it."""
    try:
        parsed = parse_uri(uri)
    except RemoteProtocolError:
        return uri
    form = canonical_uri(parsed)
    if not parsed.params or parsed.scheme == b"tel":  # tel: every parameter is in the form (RFC 3966 §4)
        return form
    parts = []
    for part in parsed.params.split(b";"):
        name, _, value = part.partition(b"=")
        name, value = unescape(name).lower(), unescape(value)
        parts.append(b"%d:%b=%d:%b" % (len(name), name, len(value), value))
    return form + b"\0" + b";".join(sorted(parts))
