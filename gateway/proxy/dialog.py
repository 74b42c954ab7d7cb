"""What a dialog's cookies bind, written into them and held against in-dialog requests (DESIGN §5, Dialog cookies)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.proxy import route
from gateway.proxy.cookie import CALLEE, CALLER, COOKIE_LENGTH, NO_HASH, Cookie, CookieRing, short_hash
from gateway.proxy.peer import Destination, Peer, Source
from gateway.proxy.ports import Gate
from gateway.sip.errors import RemoteProtocolError
from gateway.sip.message import Headers, Request, Response, first_value
from gateway.sip.nameaddr import parse_name_addr
from gateway.sip.uri import canonical_uri, parse_uri, unescape

if TYPE_CHECKING:
    from gateway.proxy.call import Call

OLD_COOKIE_METHODS = frozenset((b"ACK", b"BYE", b"CANCEL", b"PRACK"))
"""What a cookie still passes when it is older than its lifetime."""

MAX_REMEMBERED_URIS = 4096
"""Canonical hashes kept of recently seen URIs; a call's From and To come back in each of its messages."""

FORGED = "dialog-forged"
IDENTITY = "dialog-identity"
ROUTE_FORCED = "route-forced"


class Dialogs:
    """Makes the cookies of one worker's dialogs, and judges the requests that bring them back."""

    __slots__ = ("_hashes", "_lifetime", "_own", "_ring")

    def __init__(self, ring: CookieRing, own: route.OwnHosts, lifetime: float) -> None:
        """`lifetime`: seconds after which a cookie passes `OLD_COOKIE_METHODS` only."""
        self._ring = ring
        self._own = own
        self._lifetime = lifetime
        self._hashes: dict[bytes, bytes] = {}

    # -- written ---------------------------------------------------------------------------------------------------

    def callee_cookie(self, call: Call, peer: Peer, issued: int) -> bytes:
        """The cookie for the request that leaves towards `peer`: From and To as that side sees them."""
        request = call.request
        # Screening may have spelled From or To plainly, or put an emergency CLI into From.
        cookie = Cookie(
            CALLEE,
            issued,
            call.ids.decision,
            peer.code,
            call.source.peer.code,
            self._seen(call.headers, request, b"From", request.from_.uri),
            self._seen(call.headers, request, b"To", request.to.uri),
            NO_HASH if call.source.peer.access else _contact_hash(request.get(b"Contact")),
        )
        return self._ring.issue(cookie, request.call_id, request.from_.tag, b"")

    def caller_cookie(self, call: Call, peer: Peer, response: Response, contact: bytes, issued: int) -> bytes:
        """The cookie for the caller's route set, from a 1xx or 2xx that came from `peer`."""
        request = call.request
        cookie = Cookie(
            CALLER,
            issued,
            call.ids.decision,
            call.source.peer.code,
            peer.code,
            self.uri_hash(request.from_.uri),
            self.uri_hash(request.to.uri),
            NO_HASH if peer.access else _contact_hash(contact),
        )
        return self._ring.issue(cookie, request.call_id, request.from_.tag, response.to.tag)

    def earlier_cookie(self, call: Call, response: Response) -> bytes:
        """The callee's cookie that this call was forwarded with before a restart, which differs in its issue time; b""
        where the response's Record-Routes hold none."""
        request = call.request
        for name, value in response.headers:
            if name == b"Record-Route":
                text = route.own_cookie(value, self._own)
                if text:
                    cookie = self._ring.read(text, request.call_id, response.to.tag, request.from_.tag)
                    if cookie is not None and cookie.kind == CALLEE and cookie.decision == call.ids.decision:
                        return text
        return b""

    # -- held against a request ------------------------------------------------------------------------------------

    def find(
        self, request: Request, source: Source, routing: route.Routing, gate: Gate, epoch: float
    ) -> tuple[Cookie, Peer, Destination] | str:
        """The dialog an in-dialog request belongs to, the peer it may leave to and where; or the rule it breaks."""
        if len(routing.cookie) != COOKIE_LENGTH:
            return FORGED
        cookie = self._ring.read(routing.cookie, request.call_id, request.from_.tag, request.to.tag)
        if cookie is None or cookie.own != source.peer.code:
            return FORGED
        peer = gate.peer_by_code(cookie.peer)
        if peer is None:
            return FORGED
        if epoch - cookie.issued > self._lifetime and request.method not in OLD_COOKIE_METHODS:
            return FORGED
        # The callee's From is what the INVITE had as To, and the other way round (§12.2.1.1).
        mine, theirs = self.uri_hash(request.from_.uri), self.uri_hash(request.to.uri)
        if cookie.kind == CALLEE:
            mine, theirs = theirs, mine
        if mine != cookie.from_hash or theirs != cookie.to_hash:
            return IDENTITY
        destination = route.dialog_target(routing, peer)
        if destination is None or not (peer.access or _lawful_target(request, cookie)):
            return ROUTE_FORCED
        return cookie, peer, destination

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

    def _seen(self, headers: Headers, request: Request, name: bytes, uri: bytes) -> bytes:
        sent = first_value(headers, name)
        if sent is None or sent == first_value(request.headers, name):
            return self.uri_hash(uri)
        return self.uri_hash(parse_name_addr(sent).uri)


def _lawful_target(request: Request, cookie: Cookie) -> bool:
    """Toward the core, a Request-URI that reads as a number must be the dialog's other party or its bound Contact."""
    raw = request.target.user
    if raw is None or request.to.uri.startswith(b"sip:" + raw + b"@"):
        return True
    user = unescape(raw)
    if not reads_as_number(user) or short_hash(user) == cookie.contact_hash:
        return True
    digits = digits_of(user)
    return digits != b"" and digits == digits_of(_user(request.to.uri))


def _contact_hash(contact: bytes | None) -> bytes:
    """Hash of the user part of a Contact; `NO_HASH` where there is none."""
    if not contact:
        return NO_HASH
    try:
        return short_hash(_user(parse_name_addr(contact).uri))
    except RemoteProtocolError:
        return NO_HASH


def _user(uri: bytes) -> bytes:
    """The user part of a URI, unescaped; b"" for none."""
    try:
        return unescape(parse_uri(uri).user or b"")
    except RemoteProtocolError:
        return b""


def reads_as_number(user: bytes) -> bool:
    """True when a next hop might take a user part (unescaped) for digits to dial: at least three stand at its front,
    whatever separators or service prefixes stand among them and whatever parameters follow."""
    front = user.translate(None, b"+-.()*# ")[:3]
    return len(front) == 3 and front.isdigit()


def digits_of(user: bytes) -> bytes:
    """The digits of a user part (unescaped) that is a telephone number and nothing else; b"" for any other."""
    digits = user.translate(None, b"+-.()")
    return digits if len(digits) >= 3 and digits.isdigit() else b""
