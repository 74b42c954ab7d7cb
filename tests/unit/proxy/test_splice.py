"""Lines that leave as they came give the octets of the slow road."""

from __future__ import annotations

import pytest

from gateway.proxy import forward, splice
from gateway.sip.message import Request, Response
from gateway.sip.parser import parse
from gateway.sip.screened import Screened
from gateway.sip.writer import write_request, write_response

VIA = b"SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK-ours"
TOP = b"SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK-1;rport=5060;received=127.0.0.2"
OURS = b"<sip:127.0.0.1:5060;lr;cg=x>"
BASE = b"From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>;tag=2\r\nCall-ID: c\r\n"


def _bye(*, via: bytes = b"Via: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK-1\r\n", more: bytes = b"") -> Request:
    message = parse(b"BYE sip:b@x SIP/2.0\r\n" + via + BASE + b"CSeq: 2 BYE\r\n" + more + b"Content-Length: 0\r\n\r\n")
    assert isinstance(message, Request)
    return message


def _ok(more: bytes, via: bytes = b"Via: SIP/2.0/UDP 127.0.0.1\r\nVia: SIP/2.0/UDP 127.0.0.2\r\n") -> Response:
    message = parse(b"SIP/2.0 200 OK\r\n" + via + BASE + b"CSeq: 1 INVITE\r\n" + more + b"l: 3\r\n\r\nv=0")
    assert isinstance(message, Response)
    return message


ROUTE = b"Route: " + OURS + b"\r\n"
HOPS = b"Max-Forwards: 70\r\n"


@pytest.mark.parametrize(
    ("message", "own", "lines"),
    [
        (_bye(more=HOPS + ROUTE), [OURS], True),
        (_bye(more=ROUTE + ROUTE + HOPS + b"X-A: 1\r\n"), [OURS], True),
        (_bye(), [], True),
        (_bye(more=b"Max-Forwards: 070\r\n"), [], True),
        (_bye(more=b"max-forwards: 70\r\n"), [], False),
        (_bye(more=b"Subject: a\r\n b\r\n" + HOPS), [], True),
        (_bye(more=b"Route: " + OURS + b"," + OURS + b"\r\n"), [OURS], False),
        (_bye(via=HOPS + b"Via: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK-1\r\n"), [], True),
    ],
)
def test_requests(message: Request, own: list[bytes], lines: bool) -> None:
    assert bool(message.lines) is lines
    kept_lines = message.lines
    for headers in (list(message.headers), [header for header in message.headers if header[0] != b"X-A"]):
        message.lines = list(kept_lines)
        written = splice.request(message, Screened(headers, b"x"), VIA, TOP, own)
        kept = forward.forwarded_headers(headers, VIA, TOP, message.max_forwards, [], len(own))
        assert written == write_request(b"BYE", b"sip:b@x", kept, b"x")


@pytest.mark.parametrize(
    "message",
    [
        _ok(b""),
        _ok(b"Record-Route: <sip:a>\r\nContact: <sip:b>\r\nRecord-Route: <sip:c>\r\n"),
        _ok(b"Record-Route: <sip:a>, <sip:c>\r\n"),
        _ok(b"", b"Via: SIP/2.0/UDP 127.0.0.1\r\nRecord-Route: <sip:a>\r\nVia: SIP/2.0/UDP 127.0.0.2\r\n"),
        _ok(b"Via: SIP/2.0/UDP 127.0.0.3\r\n", b"Via: SIP/2.0/UDP 127.0.0.1\r\n"),
        _ok(b"", b"Subject: x\r\nVia: SIP/2.0/UDP 127.0.0.1\r\nVia: SIP/2.0/UDP 127.0.0.2\r\n"),
        _ok(b"Subject:x\r\n"),
    ],
)
@pytest.mark.parametrize("routes", [None, [], [OURS, b"<sip:d>"]])
def test_responses(message: Response, routes: list[bytes] | None) -> None:
    kept_lines = message.lines
    for headers in (list(message.headers), [header for header in message.headers if header[0] != b"Contact"]):
        message.lines = list(kept_lines)
        written = splice.response(message, Screened(headers, b"x"), routes, 500, b"Error")
        kept = forward.returned_headers(headers, routes)
        assert written == write_response(500, b"Error", kept, b"x")
