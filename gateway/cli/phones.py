"""Telephones for the demo: a caller and an answering side, each on a real UDP socket of this machine."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Self, cast

from gateway.sip.errors import RemoteProtocolError
from gateway.sip.message import Headers, Request, Response
from gateway.sip.nameaddr import parse_name_addr
from gateway.sip.parser import parse
from gateway.sip.writer import write_request, write_response

ANSWER_TIMEOUT_S = 6.0
"""Longer than the gateway's own limit for a next hop's first response."""

SDP = b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 8\r\n"

OPTIONS_TRIES = 4
OPTIONS_WAIT_S = 0.5
"""A gateway that is there answers OPTIONS within a millisecond; a datagram may be lost."""

Address = tuple[str, int]


class Phone(asyncio.DatagramProtocol):
    """One socket; what arrives is parsed, timed and queued."""

    def __init__(self) -> None:
        self.inbox: asyncio.Queue[tuple[Request | Response, Address, int]] = asyncio.Queue()
        self.received = 0
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def open(cls, host: str, port: int = 0) -> Self:
        """Bind. Raises OSError."""
        loop = asyncio.get_running_loop()
        _, phone = await loop.create_datagram_endpoint(cls, local_addr=(host, port))
        return phone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """`asyncio.DatagramProtocol`."""
        self._transport = cast(asyncio.DatagramTransport, transport)  # asyncio's own class is no subclass of it

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """`asyncio.DatagramProtocol`."""
        arrived = perf_counter_ns()
        self.received += 1
        try:
            self.inbox.put_nowait((parse(data), (addr[0], addr[1]), arrived))
        except RemoteProtocolError:
            return  # not for us: the demo only counts it

    @property
    def address(self) -> str:
        """host:port as it goes into Via and Contact."""
        if self._transport is None:
            raise OSError("the phone is closed")
        host, port = self._transport.get_extra_info("sockname")[:2]
        return f"{host}:{port}"

    def send(self, data: bytes, to: Address) -> None:
        """Send one datagram."""
        if self._transport is not None:
            self._transport.sendto(data, to)

    def close(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.close()


class AnsweringPhone(Phone):
    """Answers every INVITE with 180 and 200, every BYE with 200; notes when each INVITE arrived, by Call-ID."""

    def __init__(self) -> None:
        super().__init__()
        self.invites: dict[bytes, int] = {}

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """`asyncio.DatagramProtocol`."""
        arrived = perf_counter_ns()
        self.received += 1
        try:
            message = parse(data)
        except RemoteProtocolError:
            return
        if not isinstance(message, Request):
            return
        if message.method == b"INVITE":
            self.invites.setdefault(message.call_id, arrived)
            self.send(self._response(message, 180, b"Ringing"), (addr[0], addr[1]))
            self.send(self._response(message, 200, b"OK"), (addr[0], addr[1]))
        elif message.method != b"ACK":
            self.send(self._response(message, 200, b"OK"), (addr[0], addr[1]))

    def _response(self, request: Request, status: int, reason: bytes) -> bytes:
        headers: Headers = []
        for name, value in request.headers:
            if name in (b"Via", b"From", b"Call-ID", b"CSeq", b"Record-Route"):
                headers.append((name, value))
            elif name == b"To":
                headers.append((name, value if request.to.tag else value + b";tag=answering"))
        headers.append((b"Contact", f"<sip:{self.address}>".encode()))
        body = SDP if status == 200 and request.method == b"INVITE" else b""
        if body:
            headers.append((b"Content-Type", b"application/sdp"))
        return write_response(status, reason, headers, body)


@dataclass(slots=True)
class PlacedCall:
    """What the caller saw."""

    call_id: str
    status: int = 0
    phrase: str = ""
    sent_ns: int = 0
    answered_ns: int = 0
    warning: str = ""
    final: Response | None = None
    routes: list[bytes] = field(default_factory=list)


async def place_call(phone: Phone, gateway: Address, caller: str, callee: str, extra: Headers) -> PlacedCall:
    """Place a call, acknowledge its answer, and hang up when it was taken. `caller`: a whole From value without tag."""
    call_id = f"demo-{secrets.token_hex(8)}"
    branch, tag = f"z9hG4bK{secrets.token_hex(8)}", secrets.token_hex(4)
    uri = f"sip:{callee}@{gateway[0]}".encode()
    base: Headers = [
        (b"Max-Forwards", b"70"),
        (b"From", f"{caller};tag={tag}".encode()),
        (b"Call-ID", call_id.encode()),
        (b"Contact", f"<sip:{phone.address}>".encode()),
    ]
    via = f"SIP/2.0/UDP {phone.address};branch={branch}".encode()
    to = b"<" + uri + b">"
    invite: Headers = [(b"Via", via), (b"To", to), (b"CSeq", b"1 INVITE"), *base, *extra]
    placed = PlacedCall(call_id)
    placed.sent_ns = perf_counter_ns()
    phone.send(write_request(b"INVITE", uri, [*invite, (b"Content-Type", b"application/sdp")], SDP), gateway)
    while placed.status < 200:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            message, _, arrived = await phone.inbox.get()
        if isinstance(message, Response) and message.call_id == call_id.encode():
            placed.status, placed.phrase = message.status, message.reason.decode("utf-8", "replace")
            placed.answered_ns, placed.final = arrived, message
    final = placed.final
    if final is None:
        return placed
    placed.warning = (final.get(b"Warning") or b"").decode("utf-8", "replace")
    answered_to = final.get(b"To") or to
    if placed.status >= 300:
        ack: Headers = [(b"Via", via), (b"To", answered_to), (b"CSeq", b"1 ACK"), *base]
        phone.send(write_request(b"ACK", uri, ack, b""), gateway)
        return placed
    await _hang_up(phone, gateway, final, answered_to, base)
    return placed


async def ask_options(phone: Phone, gateway: Address) -> int:
    """Status of the gateway's answer to OPTIONS (RFC 3261 §11). Raises TimeoutError when there is none."""
    call_id = f"options-{secrets.token_hex(8)}".encode()
    uri = f"sip:{gateway[0]}:{gateway[1]}".encode()
    request = write_request(
        b"OPTIONS",
        uri,
        [
            (b"Via", f"SIP/2.0/UDP {phone.address};branch=z9hG4bK{secrets.token_hex(8)}".encode()),
            (b"Max-Forwards", b"70"),
            (b"From", f"<sip:{phone.address}>;tag={secrets.token_hex(4)}".encode()),
            (b"To", b"<" + uri + b">"),
            (b"Call-ID", call_id),
            (b"CSeq", b"1 OPTIONS"),
        ],
        b"",
    )
    for _ in range(OPTIONS_TRIES):
        phone.send(request, gateway)
        with suppress(TimeoutError):
            async with asyncio.timeout(OPTIONS_WAIT_S):
                while True:
                    message, _, _ = await phone.inbox.get()
                    if isinstance(message, Response) and message.call_id == call_id:
                        return message.status
    raise TimeoutError


async def _hang_up(phone: Phone, gateway: Address, final: Response, to: bytes, base: Headers) -> None:
    routes: Headers = [(b"Route", value) for value in reversed(final.get_all(b"Record-Route"))]
    target = parse_name_addr(final.get(b"Contact") or b"<sip:invalid.invalid>").uri
    for method, number in ((b"ACK", 1), (b"BYE", 2)):
        via = f"SIP/2.0/UDP {phone.address};branch=z9hG4bK{secrets.token_hex(8)}".encode()
        headers: Headers = [(b"Via", via), *routes, (b"To", to), (b"CSeq", b"%d " % number + method), *base]
        phone.send(write_request(method, target, headers, b""), gateway)
    async with asyncio.timeout(ANSWER_TIMEOUT_S):
        while True:
            message, _, _ = await phone.inbox.get()
            if isinstance(message, Response) and message.cseq_method == b"BYE" and message.status == 200:
                return
