"""Ways to an address over TCP or TLS: the connection there is, or one that is made for what is to be sent."""

from __future__ import annotations

import asyncio
import errno
import socket
from time import monotonic
from typing import TYPE_CHECKING

from gateway.net import tasks
from gateway.net.tls import speaks_for
from gateway.proxy.peer import Destination

if TYPE_CHECKING:
    from gateway.net.connection import Connection
    from gateway.net.stream import StreamListener

MAX_PATHS = 10_000
"""Addresses that paths are kept for. Full: those without a connection go."""

Address = tuple[str, int]


class Path:
    """A way to one address: what `Destination.listener` is for a stream."""

    __slots__ = (
        "address",
        "connecting",
        "connection",
        "destination",
        "listener",
        "names",
        "queued",
        "reply_port",
        "size",
    )

    def __init__(self, listener: StreamListener, address: Address, names: tuple[str, ...], reply_port: int) -> None:
        self.listener = listener
        self.address = address
        self.names = names
        """Domains or addresses: the far end's certificate must speak for one of them (TLS). It is asked for the
        first."""
        self.reply_port = reply_port
        """0: connects to `address`. -1: never connects, it is the far end that does. Else: responses, which go to this
        port of the same host when their connection is closed (RFC 3261 §18.2.2)."""
        self.connection: Connection | None = None
        self.connecting = False
        self.queued: list[bytes] = []
        """What is to be sent once there is a connection."""
        self.size = 0
        """Octets of it."""
        transport = b"TLS" if listener.tls is not None else b"TCP"
        self.destination = Destination(self, address, transport, listener.sent_by, True)

    def send(self, data: bytes, address: Address) -> bool:
        """Write, or connect first. Always True: what waits is the connection's matter. Raises OSError when it cannot be
        sent; a connection that cannot be made is told by `StreamUser.on_failed`. `address` is `self.address`."""
        connection = self.connection
        if connection is not None and not connection.closing:
            connection.write(data)
        elif not self.reply_port:
            self.listener.paths.connect(self, data)
        elif self.reply_port > 0:
            other = self.listener.paths.get(self.address[0], self.reply_port, self.names)
            other.send(data, other.address)
        else:
            raise ConnectionResetError(f"the connection to {self.address[0]}:{self.address[1]} is closed")
        return True


class Paths:
    """The paths of one listener, and the connections it makes."""

    __slots__ = ("_listener", "_paths")

    def __init__(self, listener: StreamListener) -> None:
        self._listener = listener
        self._paths: dict[tuple[str, int, tuple[str, ...]], Path] = {}

    def get(self, host: str, port: int, names: tuple[str, ...]) -> Path:
        """The path to an address, whose certificate must speak for one of these names: the same object each time."""
        key = (host, port, names)
        path = self._paths.get(key)
        if path is None:
            if len(self._paths) >= MAX_PATHS:
                self._paths = {k: p for k, p in self._paths.items() if p.connecting or p.connection is not None}
            path = Path(self._listener, (host, port), names or (host,), 0)
            self._paths[key] = path
        return path

    def connect(self, path: Path, data: bytes) -> None:
        """Send `data` by a connection that is yet to be made. Raises OSError where too much waits already, or too many
        connections are up."""
        listener = self._listener
        if path.size + len(data) > listener.limits.max_output:
            raise OSError(errno.ENOBUFS, "too much waits for the connection")
        if not path.connecting:
            if listener.full:
                listener.failed["limit-all"] += 1
                raise OSError(errno.EHOSTUNREACH, f"listener {listener.name}: too many connections")
            path.connecting = True
            listener.pending += 1
            tasks.spawn(self._connect(path), f"connect-{listener.name}", listener.on_error)
        path.queued.append(data)
        path.size += len(data)

    async def _connect(self, path: Path) -> None:
        listener = self._listener
        loop = asyncio.get_running_loop()
        sock = socket.socket(listener.family, socket.SOCK_STREAM)
        failure = "error"
        connection = listener.new_connection(path.address, path)
        try:
            sock.setblocking(False)
            sock.bind((listener.address, 0))
            async with asyncio.timeout(listener.limits.connect_s):
                await loop.sock_connect(sock, path.address)
                await loop.create_connection(
                    lambda: connection,
                    sock=sock,
                    ssl=None if listener.tls is None else listener.tls.client,
                    server_hostname=None if listener.tls is None else path.names[0],
                )
            failure = ""
        except TimeoutError:
            failure = "timeout"
        except ConnectionRefusedError:
            failure = "refused"
        except OSError as error:  # TLS errors are among them
            failure = "certificate" if "CERTIFICATE_VERIFY_FAILED" in str(error) else "error"
        finally:
            path.connecting = False
            if not connection.heard:
                listener.pending -= 1
            if failure:
                sock.close()
                listener.failed[failure] += 1
                self.give_up(path, monotonic())

    def opened(self, connection: Connection) -> None:
        """A connection that was made for a path is up: what waited for it leaves."""
        path = connection.path
        identities = connection.identities
        if self._listener.tls is not None and not any(speaks_for(identities, name) for name in path.names):
            self._listener.failed["certificate"] += 1
            connection.abort("certificate")
            return
        queued, path.queued, path.size = path.queued, [], 0
        for data in queued:
            if not connection.closing:
                connection.write(data)

    def give_up(self, path: Path, now: float) -> None:
        """What was sent by this path may not have arrived."""
        path.queued.clear()
        path.size = 0
        self._listener.user.on_failed(path.destination, now)
