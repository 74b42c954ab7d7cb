"""Messages to start from: each test changes the one thing it is about."""

from __future__ import annotations

import pytest

from gateway.sip import RemoteProtocolError, Request, Response, parse

LINES: dict[bytes, bytes] = {
    b"Via": b"SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bKabc123;rport",
    b"Max-Forwards": b"70",
    b"From": b"<sip:+8657112340001@127.0.0.2>;tag=caller1",
    b"To": b"<sip:+8613800138000@127.0.0.1>",
    b"Call-ID": b"call-1@127.0.0.2",
    b"CSeq": b"1 INVITE",
    b"Contact": b"<sip:+8657112340001@127.0.0.2:5060>",
}


def request(
    *extra: bytes,
    start: bytes = b"INVITE sip:+8613800138000@127.0.0.1 SIP/2.0",
    body: bytes = b"",
    without: tuple[bytes, ...] = (),
    **changed: bytes,
) -> bytes:
    """An INVITE. `extra` are whole lines put last; keywords change a value (`from_`, `call_id`, …)."""
    lines = [start]
    for name, value in LINES.items():
        key = name.decode().lower().replace("-", "_")
        value = changed.pop(key, changed.pop(key + "_", value))
        if name not in without:
            lines.append(name + b": " + value)
    assert not changed
    lines.extend(extra)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def response(*extra: bytes, start: bytes = b"SIP/2.0 200 OK", body: bytes = b"", **changed: bytes) -> bytes:
    """A 200 to that INVITE."""
    return request(*extra, start=start, body=body, without=(b"Max-Forwards",), **changed)


def parsed(data: bytes) -> Request:
    """Parse what must be a request."""
    message = parse(data)
    assert isinstance(message, Request)
    return message


def parsed_response(data: bytes) -> Response:
    """Parse what must be a response."""
    message = parse(data)
    assert isinstance(message, Response)
    return message


def refused(data: bytes) -> RemoteProtocolError:
    """Parse what must be refused; gives the error."""
    with pytest.raises(RemoteProtocolError) as caught:
        parse(data)
    return caught.value
