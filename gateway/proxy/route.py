"""Route information preprocessing (RFC 3261 §16.4)."""

from __future__ import annotations

from typing import Final

from gateway.proxy.cookie import COOKIE_LENGTH, PARAMETER
from gateway.sip.errors import RemoteProtocolError
from gateway.sip.message import Request
from gateway.sip.nameaddr import parse_name_addr
from gateway.sip.uri import Uri, parse_host_port, parse_uri

MAX_OWN_ROUTES: Final = 4
"""Own Route values taken off one request: two per pass (RFC 5658), twice as many to be liberal."""

OwnHosts = frozenset[tuple[bytes, int]]
"""(host, port) pairs that are ours; port 5060 stands for an absent port as well."""

_WRITTEN: Final = b"lr;" + PARAMETER + b"="
_WRITTEN_LENGTH: Final = len(_WRITTEN) + COOKIE_LENGTH + 1


class Routing:
    """What the Route headers and the Request-URI of a request say."""

    __slots__ = ("cookie", "rest", "taken", "target")

    def __init__(self, taken: list[bytes], cookie: bytes, rest: list[bytes], target: Uri) -> None:
        self.taken = taken
        """Route values at the top that are ours."""
        self.cookie = cookie
        """Cookie text of the first own Route that has one; empty for none."""
        self.rest = rest
        """Route values below ours, raw."""
        self.target = target
        """The Request-URI."""


def own_cookie(value: bytes, own: OwnHosts) -> bytes | None:
    """The cookie in a Route or Record-Route value of ours (b"" when it has none), or None when the value is not ours
    or cannot be read."""
    try:
        # As we wrote it (UAs echo it as it is, §12.1): <sip:host:port;lr;cg=…>, `;transport=tcp` or `=tls` before `;lr`
        if value.startswith(b"<sip:") and value.endswith(b">"):
            host_port, _, rest = value[5:].partition(b";")
            if rest.startswith(b"transport=t") and rest[:14] in (b"transport=tcp;", b"transport=tls;"):
                rest = rest[14:]
            if len(rest) == _WRITTEN_LENGTH and rest.startswith(_WRITTEN):
                host, port = parse_host_port(host_port)
                return rest[len(_WRITTEN) : -1] if (host, port or 5060) in own else None
        uri = parse_uri(parse_name_addr(value).uri)
    except RemoteProtocolError:
        return None
    if (uri.host, uri.port or 5060) not in own or uri.user is not None or not uri.has_param(b"lr"):
        return None
    return uri.param(PARAMETER) or b""


def read_routes(request: Request, own: OwnHosts) -> Routing:
    """Take our own Routes off the top. A Route that cannot be read ends the search: it is not ours.

    A Request-URI that is one of our Record-Route values means a strict router sent this (§16.4). We depart: nothing
    is moved up from the Route set; such a request carries no cookie in a Route and is refused for that.
    """
    routes = [header[1] for header in request.headers if header[0] == b"Route"]
    taken = 0
    cookie = b""
    for value in routes[:MAX_OWN_ROUTES]:
        found = own_cookie(value, own)
        if found is None:
            break
        taken += 1
        cookie = cookie or found
    return Routing(routes[:taken], cookie, routes[taken:], request.target)
