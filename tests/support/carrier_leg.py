"""The carrier's leg: every datagram that reached the carrier, as it came, and answers like a carrier's."""

from __future__ import annotations

import re

from gateway.cli.phones import Address, AnsweringPhone
from gateway.sip.errors import RemoteProtocolError
from gateway.sip.message import Request
from gateway.sip.parser import parse

FENCE = b"fence-"
"""How the Call-ID of a good call begins that follows a message under test."""


class CarrierLeg(AnsweringPhone):
    """Answers calls and keeps what it was sent, good calls (`FENCE`) apart."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[bytes] = []
        self.fences: list[bytes] = []

    def datagram_received(self, data: bytes, addr: Address) -> None:
        (self.fences if b"Call-ID: " + FENCE in data else self.seen).append(data)
        super().datagram_received(data, addr)

    def requests(self, method: bytes) -> list[bytes]:
        """Those seen of one method."""
        return [data for data in self.seen if data.startswith(method + b" ")]


def readable(data: bytes) -> Request:
    """What leaves must be plain SIP."""
    try:
        message = parse(data)
    except RemoteProtocolError as error:
        raise AssertionError(f"{error}: {data!r}") from error
    assert isinstance(message, Request)
    return message


def names_only_the_gated(data: bytes, caller: str, callee: str, others: tuple[str, ...]) -> Request:
    """An INVITE at the carrier's leg: From (canonical or national form), the asserted identity and the Request-URI are
    those that were gated, each once, and no other number stands anywhere in its octets."""
    received = readable(data)
    local = caller.encode().removeprefix(b"+86")
    assert received.uri.startswith(b"sip:" + callee.encode() + b"@127.0.0.9:5060"), received.uri
    asserted = received.get_all(b"P-Asserted-Identity")
    assert len(asserted) == 1 and b"<sip:" + caller.encode() + b"@" in asserted[0], asserted
    user = re.sub(rb"[^0-9]", b"", received.from_.uri.partition(b"@")[0])
    assert user in (b"86" + local, b"0" + local), received.from_.uri
    for name in (b"From", b"f", b"To", b"t", b"Call-ID", b"i", b"CSeq", b"Max-Forwards", b"P-Asserted-Identity"):
        assert len(re.findall(rb"(?im)^" + name + rb"[ \t]*:", data)) <= 1, name
    assert not received.has(b"Route") and not received.has(b"Privacy")
    digits = re.sub(rb"[-.()]", b"", data)
    for other in others:
        assert other.encode().removeprefix(b"+86") not in digits, (other, data)
    return received
