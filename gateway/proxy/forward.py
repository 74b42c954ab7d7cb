"""The forwarded request (RFC 3261 §16.6) and the forwarded response (§16.7): what changes, and nothing else."""

from __future__ import annotations

from typing import Final

from gateway.proxy.cookie import PARAMETER
from gateway.proxy.peer import Destination
from gateway.sip.message import Headers

LARGE_REQUEST: Final = 1_300
"""Octets above which a request leaves by TCP where the next hop allows it (§18.1.1, path MTU not known)."""

DEFAULT_MAX_FORWARDS: Final = 70
"""§16.6 step 3: what a request without Max-Forwards gets."""


def forwarded_headers(
    headers: Headers, our_via: bytes, top_via: bytes, max_forwards: int, record_routes: list[bytes], own_routes: int = 0
) -> Headers:
    """Headers of the request as it leaves: our Via on top, our Record-Routes, the sender's Via stamped, Max-Forwards
    one less, the first `own_routes` Route values gone. `max_forwards`: as received, -1 where there was none."""
    out: Headers = [(b"Via", our_via)]
    for route in record_routes:
        out.append((b"Record-Route", route))
    stamped = False
    left = DEFAULT_MAX_FORWARDS if max_forwards < 0 else max_forwards - 1
    for header in headers:
        name = header[0]
        if name == b"Via" and not stamped:
            out.append((b"Via", top_via))
            stamped = True
        elif own_routes and name == b"Route":
            own_routes -= 1
        elif name != b"Max-Forwards":
            out.append(header)
    out.append((b"Max-Forwards", b"%d" % left))
    return out


def without_own_routes(headers: Headers, own_routes: int) -> Headers:
    """`headers` less the first `own_routes` Route values (§16.4: a proxy removes itself)."""
    if not own_routes:
        return headers
    out: Headers = []
    for header in headers:
        if own_routes and header[0] == b"Route":
            own_routes -= 1
            continue
        out.append(header)
    return out


def record_routes(towards: Destination, back: Destination, cookie: bytes) -> list[bytes]:
    """Our Record-Route values (§16.6 step 4), outgoing side first; two where the request leaves by another listener or
    transport than it came by (RFC 5658)."""
    routes = [_record_route(towards, cookie)]
    if towards.via != back.via:
        routes.append(_record_route(back, cookie))
    return routes


def _record_route(destination: Destination, cookie: bytes) -> bytes:
    return b"<sip:%b%b;lr;%b=%b>" % (destination.sent_by, destination.uri_transport, PARAMETER, cookie)


def has_sender_via(headers: Headers) -> bool:
    """True when a response has a Via below ours: without one it was meant for this element (§16.7 step 3)."""
    found = 0
    for header in headers:
        if header[0] == b"Via":
            found += 1
            if found == 2:
                return True
    return False


def returned_headers(headers: Headers, routes: list[bytes] | None) -> Headers:
    """Headers of a response on its way back: without our Via (§16.7 step 3), and with `routes` for all its Record-Route
    values (step 8), or with those as they are where `routes` is None."""
    out: Headers = []
    if routes is None:
        ours = True
        for header in headers:
            if ours and header[0] == b"Via":
                ours = False
            else:
                out.append(header)
        return out
    waiting: list[bytes] | None = routes
    vias = 0
    for header in headers:
        name = header[0]
        if name == b"Via":
            vias += 1
            if vias == 1:
                continue
        elif name == b"Record-Route":
            continue
        elif vias and waiting is not None:
            for value in waiting:
                out.append((b"Record-Route", value))
            waiting = None
        out.append(header)
    if waiting is not None:
        for value in waiting:
            out.append((b"Record-Route", value))
    return out


def hop_by_hop_parts(sent: Headers) -> Headers:
    """What of the headers of a request sent `hop_by_hop` makes an ACK or CANCEL from."""
    out: Headers = []
    via = False
    for header in sent:
        name = header[0]
        if name == b"Via":
            if not via:
                out.append(header)
                via = True
        elif name == b"To" or name == b"From" or name == b"Call-ID" or name == b"Route":
            out.append(header)
    return out


def hop_by_hop(method: bytes, sent: Headers, to: bytes, cseq: int, extra: Headers) -> Headers:
    """Headers of an ACK (§17.1.1.3) or CANCEL (§9.1) that belongs to the request sent with headers `sent`: the same top
    Via, From, Call-ID and Routes, the given To (empty: the same)."""
    out = hop_by_hop_parts(sent)
    if to:
        out = [(name, to if name == b"To" else value) for name, value in out]
    out.append((b"CSeq", b"%d " % cseq + method))
    out.append((b"Max-Forwards", b"70"))
    out.extend(extra)
    return out
