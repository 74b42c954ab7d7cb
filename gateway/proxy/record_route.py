"""Record-Route through the gateway: whose values pass, which are ours, and what the cookies bind of them.

RFC 3261 §16.6 step 4 and §16.7 step 8. We depart: a route set is what later requests of the dialog follow, so each side
may put its own hosts into it and no others, and ours cannot be taken out (DESIGN §5, Dialog cookies).
"""

from __future__ import annotations

from gateway.proxy.peer import Peer
from gateway.proxy.route import OwnHosts, own_cookie
from gateway.sip.errors import RemoteProtocolError
from gateway.sip.message import Headers
from gateway.sip.nameaddr import parse_name_addr, split_list
from gateway.sip.uri import parse_uri


def belongs(value: bytes, peer: Peer, own: OwnHosts) -> bool:
    """True for a Record-Route or Path value whose host is `peer`'s. Ours pass too: a lawful spiral brings them."""
    try:
        uri = parse_uri(parse_name_addr(value).uri)
    except RemoteProtocolError:
        return False
    if uri.scheme == b"tel" or uri.has_param(b"maddr"):
        return False
    if peer.reach(uri.host, uri.port, uri.param(b"transport") or b"") is not None:
        return True
    return own_cookie(value, own) is not None


def without_strangers(headers: Headers, peer: Peer, own: OwnHosts) -> Headers:
    """Headers of an initial INVITE of `peer` without the Record-Route and Path values that name another's host."""
    for name, _ in headers:
        if name == b"Record-Route" or name == b"Path":
            break
    else:
        return headers
    out: Headers = []
    for header in headers:
        name = header[0]
        if name == b"Record-Route" and not belongs(header[1], peer, own):
            continue
        if name == b"Path" and not _path_belongs(header[1], peer, own):
            continue
        out.append(header)
    return out


def _path_belongs(value: bytes, peer: Peer, own: OwnHosts) -> bool:
    try:
        return all(belongs(element, peer, own) for element in split_list(value))
    except RemoteProtocolError:
        return False


def values(headers: Headers) -> list[bytes]:
    """All Record-Route values, in order."""
    return [header[1] for header in headers if header[0] == b"Record-Route"]


def above_ours(found: list[bytes], cookie: bytes, below: list[bytes], peer: Peer, own: OwnHosts) -> list[bytes]:
    """What the answering side may add to the route set: its own values above ours in a response. `cookie`: the text in
    ours, b"" where it is not there; `below`: what stood in the request that `peer` got below ours."""
    if cookie:
        for index, value in enumerate(found):
            if value.find(cookie) >= 0:
                found = found[:index]
                break
    return [value for value in found if value not in below and belongs(value, peer, own)]


def below_ours(route_set: list[bytes], own: OwnHosts) -> list[bytes]:
    """The Routes that a request will have below ours: a route set in its order without leading values of ours."""
    for index, value in enumerate(route_set):
        if own_cookie(value, own) is None:
            return route_set[index:] if index else route_set
    return []
