"""Route information preprocessing (RFC 3261 §16.4) and the target of an in-dialog request (§16.6 step 6)."""

from __future__ import annotations

from gateway.proxy.cookie import PARAMETER
from gateway.proxy.peer import Destination, Peer
from gateway.sip.errors import RemoteProtocolError
from gateway.sip.message import Request
from gateway.sip.nameaddr import parse_name_addr
from gateway.sip.uri import Uri, parse_uri

MAX_OWN_ROUTES = 4
"""Own Route values taken off one request: two per pass (RFC 5658), twice as many to be liberal."""

OwnHosts = frozenset[tuple[bytes, int]]
"""(host, port) pairs that are ours; port 5060 stands for an absent port as well."""


class Routing:
    """What the Route headers and the Request-URI of a request say."""

    __slots__ = ("cookie", "own_routes", "rest", "target")

    def __init__(self, own_routes: int, cookie: bytes, rest: list[bytes], target: Uri) -> None:
        self.own_routes = own_routes
        """How many Route values at the top are ours."""
        self.cookie = cookie
        """Cookie text of the first own Route that has one; empty for none."""
        self.rest = rest
        """Route values below ours, raw."""
        self.target = target
        """The Request-URI."""


def own_cookie(uri: Uri, own: OwnHosts) -> bytes | None:
    """The cookie in a URI of ours (b"" when it has none), or None when the URI is not ours."""
    if (uri.host, uri.port or 5060) not in own or uri.user is not None:
        return None
    if not uri.has_param(b"lr"):
        return None
    return uri.param(PARAMETER) or b""


def read_routes(request: Request, own: OwnHosts) -> Routing:
    """Take our own Routes off the top. A Route that cannot be read ends the search: it is not ours.

    A Request-URI that is one of our Record-Route values means a strict router sent this (§16.4). We depart: nothing
    is moved up from the Route set; such a request has no valid target and is refused by its Request-URI.
    """
    routes = request.get_all(b"Route")
    taken = 0
    cookie = b""
    for value in routes[:MAX_OWN_ROUTES]:
        try:
            found = own_cookie(parse_uri(parse_name_addr(value).uri), own)
        except RemoteProtocolError:
            break
        if found is None:
            break
        taken += 1
        cookie = cookie or found
    return Routing(taken, cookie, routes[taken:], request.target)


def dialog_target(routing: Routing, peer: Peer) -> Destination | None:
    """Where an in-dialog request goes: the next Route, else the Request-URI; both must belong to `peer`, and so must every
    other Route (DESIGN §5, Dialog cookies). None: it names a stranger."""
    target = routing.target
    if target.scheme != b"sip" or target.headers or target.has_param(b"maddr"):
        return None
    destination = peer.reach(target.host, target.port)
    if destination is None:
        return None
    for value in reversed(routing.rest):
        try:
            uri = parse_uri(parse_name_addr(value).uri)
        except RemoteProtocolError:
            return None
        if uri.scheme != b"sip" or uri.headers or uri.has_param(b"maddr") or not uri.has_param(b"lr"):
            return None
        destination = peer.reach(uri.host, uri.port)
        if destination is None:
            return None
    return destination


def digits_of(user: bytes | None) -> bytes:
    """The digits of a user part that reads as a telephone number, else b"". Escapes were decoded by the caller."""
    if not user:
        return b""
    digits = user.translate(None, b"+-.()")
    return digits if len(digits) >= 3 and digits.isdigit() else b""
