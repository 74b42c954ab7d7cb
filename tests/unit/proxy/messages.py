"""Parsed messages for the unit tests of the proxy."""

from __future__ import annotations

from gateway.proxy.cookie import COOKIE_LENGTH
from gateway.proxy.peer import Destination, Hop, Peer, Source
from gateway.sip.message import Request
from gateway.sip.parser import parse
from tests.support.sip_text import invite, request

OWN = frozenset({(b"127.0.0.1", 5060), (b"gate.example", 5070)})
COOKIE = b"A" * COOKIE_LENGTH


def read(text: bytes) -> Request:
    message = parse(text)
    assert isinstance(message, Request)
    return message


def with_routes(*routes: bytes, uri: bytes = b"sip:b@127.0.0.9") -> Request:
    return read(request(b"BYE", uri, extra=tuple((b"Route", route) for route in routes)))


def an_invite(**changes: object) -> Request:
    return read(invite(**changes))


def destination(host: str = "127.0.0.9", port: int = 5060, transport: bytes = b"UDP") -> Destination:
    return Destination(None, (host, port), transport, b"127.0.0.1:5060", transport != b"UDP")


def peer(*hosts: str, access: bool = False) -> Peer:
    """The first host is a next hop as well."""

    def reach(host: bytes, port: int, transport: bytes = b"") -> Destination | None:
        return destination(host.decode(), port or 5060) if host.decode() in hosts else None

    return Peer("carrier", b"CCCC", access, tuple(Hop(destination(host)) for host in hosts[:1]), reach, None)


def source(port: int = 5060, transport: bytes = b"UDP") -> Source:
    return Source(peer(), b"127.0.0.2", port, destination("127.0.0.2", port, transport))
