"""The oracle of every fuzzer of the parser: a message or a RemoteProtocolError, which a second reading confirms.

Any octets, in bounded time; what is accepted survives writing and reading.
"""

from __future__ import annotations

from contextlib import suppress
from time import perf_counter

from gateway.sip import (
    RemoteProtocolError,
    Request,
    error_response,
    is_keepalive,
    parse,
    parse_name_addr,
    parse_uri,
    split_list,
    write_request,
    write_response,
)
from gateway.sip.everyday import read_everyday
from gateway.sip.headers import FREE_TEXT, is_text
from gateway.sip.limits import MAX_HEADERS, MAX_LINE, MAX_VIAS
from gateway.sip.names import CANONICAL
from gateway.sip.parser import parse_slowly

MAX_SECONDS = 0.05
"""For one datagram of the largest size, on a slow machine; an everyday message takes 20 µs. What grows with the square
of its size takes seconds."""

TRIES = 4
"""A machine that is busy elsewhere is not the parser's fault: the shortest of so many counts."""


def check(data: bytes) -> None:
    """Raises AssertionError, or whatever the parser should not."""
    took = _seconds(data)
    for _ in range(TRIES):
        if took <= MAX_SECONDS:
            break
        took = min(took, _seconds(data))
    assert took <= MAX_SECONDS, f"{took:.3f} s for {len(data)} octets"
    is_keepalive(data)
    quick = read_everyday(data)
    if quick is not None:  # the fast road takes nothing that the slow one would refuse or read in another way
        slow = parse_slowly(data)
        assert quick == slow
        assert quick.lines == slow.lines
    try:
        message = parse(data)
    except RemoteProtocolError as error:
        assert error.status in (400, 416, 501, 505, 513)
        answer = error_response(error, b"192.0.2.9", 5060, b"t")
        if answer is not None:
            head, _, body = answer.partition(b"\r\n\r\n")
            assert not body
            assert len(head.splitlines()) <= 6 + MAX_VIAS
            for line in head.split(b"\r\n"):
                assert not any(octet < 0x20 and octet != 9 for octet in line)
                assert len(line) <= MAX_LINE + 60
        return
    singles = (b"From", b"To", b"Call-ID", b"CSeq")
    for name in singles:
        assert len(message.get_all(name)) == 1
    assert not message.has(b"Content-Length")
    assert len(message.headers) <= MAX_HEADERS
    assert 1 <= len(message.get_all(b"Via")) <= MAX_VIAS
    for name, value in message.headers:
        assert b"\r" not in name + value
        assert b"\n" not in name + value
        assert value == value.strip(b" \t")
        if name in CANONICAL and name not in FREE_TEXT and not is_text(value):
            _check_names(name, value)
    if isinstance(message, Request):
        assert message.max_forwards <= 255
        assert message.target == parse_uri(message.uri)
        assert not message.target.headers
        out = write_request(message.method, message.uri, message.headers, message.body)
    else:
        assert 100 <= message.status <= 699
        out = write_response(message.status, message.reason, message.headers, message.body)
    again = parse(out)
    assert again == message
    # A sender that pads its datagram changes nothing: Content-Length says where the message ends.
    assert parse(out + b"INVITE sip:x@y SIP/2.0\r\n\r\n") == message
    for value in message.get_all(b"P-Asserted-Identity"):
        try:
            for element in split_list(value):
                parse_uri(parse_name_addr(element).uri)
        except RemoteProtocolError:
            pass


def _check_names(name: bytes, value: bytes) -> None:
    """What is not UTF-8 is a quoted display-name, alone, that every reader sees end in the same place."""
    assert name in (b"From", b"To", b"Contact")
    for element in split_list(value):
        address = parse_name_addr(element)
        display = address.display
        assert is_text(address.uri + address.params)
        if not is_text(display):
            assert element.startswith(display) and display.count(b'"') == 2 and display[:1] == display[-1:] == b'"'
            assert not set(display) & set(b"<>\\")


def _seconds(data: bytes) -> float:
    began = perf_counter()
    with suppress(RemoteProtocolError):
        parse(data)
    return perf_counter() - began
