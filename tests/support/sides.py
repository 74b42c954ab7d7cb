"""Telephones over any transport: a listening address, one connection to the gateway, and whole calls."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from gateway.sip.framing import StreamFramer
from gateway.sip.message import Request, Response
from gateway.sip.parser import parse
from tests.support.sip_text import Extra, Party, answer, caller_party, invite

WAIT_S = 8.0

Address = tuple[str, int]
Message = Request | Response
Back = Callable[[bytes], None]
"""Sends to where a message came from."""

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Tls:
    """Contexts of a phone: as the one who connects, and as the one who is connected to."""

    client: ssl.SSLContext
    server: ssl.SSLContext


class Side:
    """One telephone. Requests go by its own socket or connection, answers back to where the request came from."""

    def __init__(self, transport: str, host: str, gateway: Address, tls: Tls | None) -> None:
        self.transport = transport
        self.host = host
        self.port = 0
        self.gateway = gateway
        self.inbox: asyncio.Queue[tuple[Message, Back]] = asyncio.Queue()
        self.alias = b""
        """`;alias`: requests may come by its own connection (RFC 5923)."""
        self.connections = 0
        """Taken from the gateway."""
        self._tls = tls
        self._datagrams: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []
        self._readers: list[asyncio.Task[None]] = []
        self._out: asyncio.StreamWriter | None = None

    @classmethod
    async def open(
        cls, transport: str, host: str, port: int, gateway: Address, tls: Tls | None = None
    ) -> Side:
        """Listen, and connect to the gateway where the transport is a stream. Raises OSError."""
        side = cls(transport, host, gateway, tls)
        if transport == "udp":
            loop = asyncio.get_running_loop()
            side._datagrams, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(side), local_addr=(host, port))
            side.port = side._datagrams.get_extra_info("sockname")[1]
            return side
        server_tls = tls.server if tls is not None else None
        side._server = await asyncio.start_server(side._taken, host, port, ssl=server_tls)
        side.port = side._server.sockets[0].getsockname()[1]
        return side

    async def send(self, data: bytes) -> None:
        """To the gateway."""
        if self._datagrams is not None:
            self._datagrams.sendto(data, self.gateway)
            return
        if self._out is None:
            client_tls = self._tls.client if self._tls is not None else None
            reader, self._out = await asyncio.open_connection(
                *self.gateway, ssl=client_tls, local_addr=(self.host, 0)
            )
            self._begin(reader, self._out)
        self._out.write(data)
        await self._out.drain()

    @property
    def via(self) -> bytes:
        """Protocol and sent-by."""
        return f"SIP/2.0/{self.transport.upper()} {self._host}:{self.port};rport".encode() + self.alias

    @property
    def contact(self) -> bytes:
        """Where it is reached."""
        suffix = "" if self.transport == "udp" else f";transport={self.transport}"
        return f"<sip:agent@{self._host}:{self.port}{suffix}>".encode()

    @property
    def _host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    async def request(self, method: bytes) -> tuple[Request, Back]:
        """The next request of this method; others, and retransmissions of it, are passed over."""
        async with asyncio.timeout(WAIT_S):
            while True:
                message, back = await self.inbox.get()
                if isinstance(message, Request) and message.method == method:
                    return message, back

    async def final(self, method: bytes, call_id: bytes) -> Response:
        """The next final response to such a request."""
        async with asyncio.timeout(WAIT_S):
            while True:
                message, _ = await self.inbox.get()
                if not isinstance(message, Response) or message.status < 200:
                    continue
                if message.call_id == call_id and message.cseq_method == method:
                    return message

    def drop(self) -> None:
        """Close the connection to the gateway."""
        if self._out is not None:
            self._out.close()
            self._out = None

    async def close(self) -> None:
        """Close all."""
        if self._datagrams is not None:
            self._datagrams.close()
        if self._server is not None:
            self._server.close()
        for task in self._readers:
            task.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._begin(reader, writer)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self._readers.append(asyncio.get_running_loop().create_task(self._read(reader, writer)))

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        framer = StreamFramer()
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                for message in framer.feed(data):
                    self.inbox.put_nowait((parse(message), writer.write))
                assert framer.error is None, framer.error


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, side: Side) -> None:
        self._side = side

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        side = self._side
        assert side._datagrams is not None
        transport = side._datagrams
        side.inbox.put_nowait((parse(data), lambda answer: transport.sendto(answer, addr)))


@dataclass(slots=True)
class Call:
    """A call that is up: each end, and what the far side was sent."""

    caller: Party
    callee: Party
    received: Request
    answered: Response


async def place(caller: Side, callee: Side, number: str, target: str, extra: Extra = ()) -> Call:
    """A call from side to side, answered and acknowledged."""
    call_id = b"sides-%d" % next(_numbers)
    user, wanted = number.encode(), target.encode()
    host = caller.via.split()[1].partition(b";")[0].rpartition(b":")[0]
    sent = invite(
        via=caller.via, branch=b"z9hG4bK" + call_id, call_id=call_id, contact=caller.contact, body=b"", extra=extra,
        from_=b"<sip:%b@%b>;tag=from" % (user, host), to=b"<sip:%b@127.0.0.1>" % wanted,
    )  # fmt: skip
    await caller.send(sent)
    received, back = await callee.request(b"INVITE")
    back(answer(received, 180, tag=b"to", contact=callee.contact))
    back(answer(received, 200, tag=b"to", contact=callee.contact))
    answered = await caller.final(b"INVITE", call_id)
    assert answered.status == 200, (answered.status, answered.get(b"Warning"))
    near = caller_party(sent, answered, caller.via)
    near.cseq = 1
    await caller.send(near.request(b"ACK", b"z9hG4bKack" + call_id, cseq=1, contact=b""))
    near.cseq = 1
    await callee.request(b"ACK")
    remote = received.get(b"From") or b""
    local = (received.get(b"To") or b"") + b";tag=to"
    contact = (received.get(b"Contact") or b"").partition(b"<")[2].partition(b">")[0]
    far = Party(callee.via, local, remote, call_id, received.get_all(b"Record-Route"), contact)
    return Call(near, far, received, answered)


async def ask(asking: Side, party: Party, method: bytes, asked: Side, **changes: object) -> Request:
    """An in-dialog request that the other side gets and answers 200; as it arrived there."""
    branch = b"z9hG4bK%b%d" % (method, next(_numbers))
    await asking.send(party.request(method, branch, **{"contact": asking.contact, **changes}))
    received, back = await asked.request(method)
    back(answer(received, 200, contact=asked.contact))
    final = await asking.final(method, party.call_id)
    assert final.status == 200, (final.status, final.get(b"Warning"))
    return received
