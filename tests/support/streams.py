"""Stream listeners on real sockets of 127.0.0.0/8, and an edge that keeps what it is told."""

from __future__ import annotations

import asyncio
import inspect
import socket
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from gateway.net.connection import Connection
from gateway.net.stream import StreamListener
from gateway.net.stream_user import StreamLimits
from gateway.net.tls import TlsContexts
from gateway.proxy.peer import Destination
from gateway.sip.errors import RemoteProtocolError
from tests.support.redis_fixtures import until


class Site:
    """One listener on 127.0.0.1 and the user of its connections."""

    def __init__(self, tls: TlsContexts | None = None, limits: StreamLimits | None = None) -> None:
        self.messages: list[tuple[bytes, Connection]] = []
        self.malformed: list[RemoteProtocolError] = []
        self.failed: list[Destination] = []
        self.ended: list[Connection] = []
        self.errors: list[BaseException] = []
        self.turns = 0
        self.strangers: set[str] = set()
        self.answer: Callable[[bytes, Connection], None] = lambda data, connection: None
        self.listener = StreamListener(
            "main",
            "127.0.0.1",
            0,
            b"gate.example:5060",
            self,
            lambda name, error: self.errors.append(error),
            tls,
            limits,
        )
        self.listener.start(asyncio.get_running_loop())

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.listener.socket.getsockname()[:2]
        return host, port

    def admits(self, listener: str, host: str) -> bool:
        return host not in self.strangers

    def on_message(self, data: bytes, connection: Connection, now: float) -> None:
        self.messages.append((data, connection))
        self.answer(data, connection)

    def on_malformed(self, error: RemoteProtocolError, connection: Connection, now: float) -> None:
        self.malformed.append(error)
        connection.write(b"SIP/2.0 400 x\r\n\r\n")

    def on_turn(self, now: float) -> None:
        self.turns += 1

    def on_failed(self, destination: Destination, now: float) -> None:
        self.failed.append(destination)

    def on_closed(self, connection: Connection, now: float) -> None:
        self.ended.append(connection)

    async def connection(self) -> Connection:
        """The only one that is up."""
        await until(lambda: len(self.listener.connections) == 1)
        return next(iter(self.listener.connections))

    async def close(self) -> None:
        self.listener.close()
        for connection in list(self.listener.connections):
            connection.abort("closed")
        await until(lambda: not self.listener.connections and not self.listener.pending)
        assert not self.errors


class Phone:
    """A plain TCP client, without reading ahead."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    @classmethod
    async def call(cls, address: tuple[str, int], source: str = "127.0.0.2") -> Phone:
        sock = socket.socket()
        sock.setblocking(False)
        sock.bind((source, 0))
        try:
            await asyncio.get_running_loop().sock_connect(sock, address)
        except OSError:
            sock.close()
            raise
        return cls(sock)

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def read(self, size: int = 65_536) -> bytes:
        """What comes next; b"" at the end, also when that is a reset."""
        try:
            async with asyncio.timeout(10):
                return await asyncio.get_running_loop().sock_recv(self.sock, size)
        except ConnectionResetError:
            return b""

    def close(self) -> None:
        self.sock.close()


class Sites:
    """Makes the sites of one test."""

    def __init__(self) -> None:
        self._made: list[Site] = []

    def __call__(self, tls: TlsContexts | None = None, **limits: float) -> Site:
        """`limits`: fields of StreamLimits."""
        self._made.append(Site(tls, StreamLimits(**limits)))  # type: ignore[arg-type]
        return self._made[-1]

    async def close(self) -> None:
        for site in self._made:
            await site.close()


def each_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Runs an asynchronous test on asyncio's loop and on uvloop, whose transports differ. It may ask for `sites`, or
    `site` for one with default limits, beside fixtures."""
    parameters = inspect.signature(test).parameters
    fixtures = [parameter for name, parameter in parameters.items() if name not in ("site", "sites")]

    async def run(values: dict[str, object]) -> None:
        sites = Sites()
        try:
            if "sites" in parameters:
                values["sites"] = sites
            if "site" in parameters:
                values["site"] = sites()
            await test(**values)
        finally:
            await sites.close()

    def on_loop(loop_factory: Callable[[], asyncio.AbstractEventLoop], **values: object) -> None:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(run(values))

    first = inspect.Parameter("loop_factory", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    on_loop.__signature__ = inspect.Signature([first, *fixtures])  # type: ignore[attr-defined]
    on_loop.__name__ = test.__name__
    loops = [asyncio.new_event_loop, uvloop.new_event_loop]
    return pytest.mark.parametrize("loop_factory", loops, ids=["asyncio", "uvloop"])(on_loop)
