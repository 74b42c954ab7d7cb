"""A message that leaves as it came but for what a proxy changes: its lines, a few taken out and put in.

The parser keeps the lines of a message that came in our own framing (`sip.headers.read_head`). Where the gate left
every header as it was, the same lines leave: nothing is written again that was checked already. Any other message takes
the slow road, header by header (`forward`). Both give the same octets.
"""

from __future__ import annotations

from gateway.proxy import forward
from gateway.sip.message import Headers, Request, Response
from gateway.sip.names import MAX_FORWARDS, RECORD_ROUTE, ROUTE, VIA
from gateway.sip.screened import Screened
from gateway.sip.writer import checked, decimal, status_line, write_lines, write_request, write_response


def unchanged(lines: list[bytes], received: Headers, screened: Headers) -> bool:
    """May the lines leave? They are those of the headers received, a Via is the first, and the gate changed none."""
    return len(lines) == len(received) and received[0][0] == VIA and screened == received


def request(message: Request, screened: Screened, our_via: bytes, top_via: bytes, own_routes: list[bytes]) -> bytes:
    """A request inside a dialog as it leaves (RFC 3261 §16.6): see `forward.forwarded_headers`. `own_routes`: its first
    Route values, which are ours."""
    hops = message.max_forwards
    if unchanged(message.lines, message.headers, screened.headers):
        start_line = b"%b %b SIP/2.0" % (message.method, message.uri)
        lines = [checked(start_line), checked(b"Via: " + our_via), checked(b"Via: " + top_via)]
        own = len(own_routes)
        for at, line in enumerate(message.lines):
            name = message.headers[at][0]
            if own and name == ROUTE:
                own -= 1
            elif at and name != MAX_FORWARDS:  # the first one is the sender's Via
                lines.append(line)
        message.lines = []  # what is kept of a request does not hold them
        lines.append(b"Max-Forwards: " + decimal(forward.DEFAULT_MAX_FORWARDS if hops < 0 else hops - 1))
        return write_lines(lines, screened.body)
    headers = forward.forwarded_headers(screened.headers, our_via, top_via, hops, [], len(own_routes))
    return write_request(message.method, message.uri, headers, screened.body)


def response(message: Response, screened: Screened, routes: list[bytes] | None, status: int, reason: bytes) -> bytes:
    """A response on its way back (RFC 3261 §16.7): see `forward.returned_headers`."""
    if unchanged(message.lines, message.headers, screened.headers):
        lines = message.lines if routes is None else _routed(message, routes)
        lines[0] = checked(status_line(status, reason))
        return write_lines(lines, screened.body)
    return write_response(status, reason, forward.returned_headers(screened.headers, routes), screened.body)


def _routed(message: Response, routes: list[bytes]) -> list[bytes]:
    """The lines of a response whose first header is a Via, with `routes` for its Record-Routes, behind the top Vias."""
    lines = message.lines
    kept: list[bytes] = []
    place = 0
    for index, header in enumerate(message.headers):
        name = header[0]
        if name != RECORD_ROUTE:
            if not place and name != VIA:
                place = len(kept)
            kept.append(lines[index])
    if not place:
        place = len(kept)
    kept[place:place] = [checked(b"Record-Route: " + value) for value in routes]
    return kept
