"""How a test's call centre reaches the gateway: bytes out, whole messages in, whatever the transport.

A test that takes a `Wire` runs over every transport; another one is added by another class here (see `WIRES` in
`tests/e2e/conftest.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Protocol, Self

from gateway.sip.framing import StreamFramer

Address = tuple[str, int]


class Wire(Protocol):
    """One end of a connection, or a socket, of a call centre."""

    transport: str
    """As a Via names it: `UDP`."""
    stream: bool
    """Whether messages follow each other in a stream, so that a message that cannot be framed ends it."""

    @property
    def address(self) -> str:
        """Own host:port, as it goes into Via and Contact."""

    async def send(self, data: bytes) -> None:
        """Send octets to the gateway. A stream that the gateway has closed is opened again first."""

    async def get(self, timeout_s: float) -> bytes:
        """The next whole message. Raises TimeoutError."""

    async def afresh(self) -> None:
        """Begin a new stream, where it is one."""

    def closed(self) -> bool:
        """Whether the gateway has closed the stream since the last `send`."""

    def close(self) -> None:
        """Close the sockets."""


class UdpWire:
    """A socket on `host`:`ports[0]` that sends; all `ports` receive, because an answer goes to the port that a Via
    without `rport` names (RFC 3261 §18.2.2)."""

    transport = "UDP"
    stream = False

    def __init__(self) -> None:
        self._inbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._sockets: list[asyncio.DatagramTransport] = []
        self._gateway: Address = ("", 0)

    @classmethod
    async def open(cls, gateway: Address, host: str = "127.0.0.2", ports: tuple[int, ...] = (0,)) -> Self:
        """Bind. Raises OSError."""
        wire = cls()
        wire._gateway = gateway
        loop = asyncio.get_running_loop()
        for port in ports:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Received(wire._inbox), local_addr=(host, port)
            )
            wire._sockets.append(transport)
        return wire

    @property
    def address(self) -> str:
        host, port = self._sockets[0].get_extra_info("sockname")[:2]
        return f"{host}:{port}"

    async def send(self, data: bytes) -> None:
        self._sockets[0].sendto(data, self._gateway)

    async def get(self, timeout_s: float) -> bytes:
        async with asyncio.timeout(timeout_s):
            return await self._inbox.get()

    async def afresh(self) -> None:
        pass

    def closed(self) -> bool:
        return False

    def close(self) -> None:
        for transport in self._sockets:
            transport.close()


class TcpWire:
    """A connection from `host`, opened again where the gateway has closed it. Its Via names the port of the first."""

    transport = "TCP"
    stream = True

    def __init__(self) -> None:
        self._inbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._gateway: Address = ("", 0)
        self._host = ""
        self._port = 0
        self._framer = StreamFramer()
        self._reader: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None

    @classmethod
    async def open(cls, gateway: Address, host: str = "127.0.0.2", ports: tuple[int, ...] = (0,)) -> Self:
        """Connect. Raises OSError. Answers come by the connection, so `ports` are not needed."""
        wire = cls()
        wire._gateway = gateway
        wire._host = host
        await wire._connect()
        return wire

    async def _connect(self) -> None:
        reader, self._writer = await asyncio.open_connection(*self._gateway, local_addr=(self._host, 0))
        self._port = self._port or self._writer.get_extra_info("sockname")[1]
        self._framer = StreamFramer()
        self._reader = asyncio.get_running_loop().create_task(self._read(reader))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                for message in self._framer.feed(data):
                    self._inbox.put_nowait(message)

    @property
    def address(self) -> str:
        return f"{self._host}:{self._port}"

    async def send(self, data: bytes) -> None:
        if self.closed():
            self.close()
            await self._connect()
        assert self._writer is not None
        with contextlib.suppress(ConnectionError):  # closed meanwhile: `closed` will say so
            self._writer.write(data)
            await self._writer.drain()

    async def afresh(self) -> None:
        self.close()
        await self._connect()

    async def get(self, timeout_s: float) -> bytes:
        async with asyncio.timeout(timeout_s):
            waiting = asyncio.ensure_future(self._inbox.get())
            assert self._reader is not None
            await asyncio.wait({waiting, self._reader}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                waiting.cancel()
                raise TimeoutError
            return waiting.result()

    def closed(self) -> bool:
        return self._reader is None or self._reader.done()

    def close(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
        if self._writer is not None:
            self._writer.close()


class _Received(asyncio.DatagramProtocol):
    def __init__(self, inbox: asyncio.Queue[bytes]) -> None:
        self._inbox = inbox

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._inbox.put_nowait(data)
