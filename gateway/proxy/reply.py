"""Responses made here (RFC 3261 §8.2.6) and the Via of the request they answer (§18.2.1, RFC 3581)."""

from __future__ import annotations

from gateway.proxy.peer import Destination, Source
from gateway.sip.message import Headers, Request
from gateway.sip.via import Via
from gateway.sip.writer import write_response


def reply_address(via: Via, source: Source) -> tuple[str, int]:
    """Where responses to a request go over UDP (§18.2.2, RFC 3581 §4): always back to the source host; `maddr` is never
    followed. Without `rport` the port is the Via's."""
    if via.rport is not None:
        return source.reply.address
    return (source.reply.address[0], via.port or 5060)


def local_response(
    request: Request,
    top_via: bytes,
    status: int,
    phrase: bytes,
    tag: bytes,
    extra: Headers,
) -> bytes:
    """A response to `request`. `top_via`: its stamped top Via; `tag`: our To tag, not used for 100 or where one is
    there; `extra`: headers after those that are copied."""
    headers: Headers = []
    first = True
    for name, value in request.headers:
        if name == b"Via":
            headers.append((name, top_via if first else value))
            first = False
        elif name == b"To":
            tagged = status == 100 or request.to.tag
            headers.append((name, value if tagged else value + b";tag=" + tag))
        elif name == b"From" or name == b"Call-ID" or name == b"CSeq" or (name == b"Timestamp" and status == 100):
            headers.append((name, value))
    headers.extend(extra)
    return write_response(status, phrase, headers, b"")


def answer_destination(request: Request, source: Source) -> Destination:
    """The destination that responses to this request go to."""
    reply = source.reply
    if reply.reliable:
        # §18.2.2: by the connection of the request; where that is closed, to the port of the Via.
        return source.reply_at(request.via.port or (5061 if request.via.transport == b"TLS" else 5060))
    address = reply_address(request.via, source)
    if address == reply.address:
        return reply
    return source.reply_at(address[1])
