"""TCP and TLS listeners (RFC 3261 §18): take connections within limits, make them, and use each again.

The way to an address is a `Path`, kept while it is used: everything sent there goes by the one connection it has. A
connection that a peer made is answered on, and used for nothing else unless `alias` says so (RFC 5923).
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from time import monotonic

from gateway.net import tasks
from gateway.net.connection import Connection
from gateway.net.path import Address, Path, Paths
from gateway.net.stream_user import CLOSE_REASONS, FAILURES, REFUSALS, StreamLimits, StreamUser
from gateway.net.tls import TlsContexts
from gateway.proxy.peer import Destination

ACCEPT_BURST = 64
"""Connections taken before other sockets get their turn."""

BACKLOG = 1_024
"""Connections the kernel keeps for us while the loop is busy; the system's somaxconn may be lower."""

SWEEP_S = 1.0
"""Seconds between two looks at the times of all connections; they are kept to about that."""

ACCEPT_PAUSE_S = 0.1
"""Seconds without accepting after the process ran out of file descriptors."""

_SHORT_OF = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_RESET = struct.pack("ii", 1, 0)


class StreamListener:
    """One listening TCP or TLS socket and its connections. `name` is the listener's name in the configuration."""

    def __init__(
        self,
        name: str,
        address: str,
        port: int,
        sent_by: bytes,
        user: StreamUser,
        on_error: tasks.Report,
        tls: TlsContexts | None = None,
        limits: StreamLimits | None = None,
        reuse_port: bool = False,
    ) -> None:
        """Binds; raises OSError naming the listener. `reuse_port`: several workers take connections at one address."""
        self.name = name
        self.sent_by = sent_by
        """Advertised host:port, as it goes into Via and Record-Route."""
        self.user = user
        self.tls = tls
        self.limits = limits if limits is not None else StreamLimits()
        self.transport = "tcp" if tls is None else "tls"
        self.on_error = on_error
        """Told of tasks that die, which is a fault of ours."""
        self.address = address
        self.family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.socket(self.family, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if self.ipv6:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if reuse_port:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            self.socket.bind((address, port))
            self.socket.listen(BACKLOG)
        except OSError as error:
            self.socket.close()
            text = f"listener {name}: cannot bind {self.transport} {address}:{port}: {error.strerror}"
            raise OSError(error.errno, text) from error
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self.paths = Paths(self)
        self._per_source: dict[str, int] = {}
        self.connections: set[Connection] = set()
        """Those that are up."""
        self.pending = 0
        """Those that are being made or shake hands."""
        self.received = 0
        """Messages."""
        self.accepted = 0
        self.refused = dict.fromkeys(REFUSALS, 0)
        self.failed = dict.fromkeys(FAILURES, 0)
        self.closed = dict.fromkeys(CLOSE_REASONS, 0)

    @property
    def ipv6(self) -> bool:
        """True when the socket is an IPv6 one."""
        return self.family == socket.AF_INET6

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to take connections."""
        self._loop = loop
        loop.add_reader(self.socket.fileno(), self._acceptable)
        self._sweeper = loop.call_later(SWEEP_S, self._sweep)

    def stop_accepting(self) -> None:
        """No new connections; those that are up go on (drain)."""
        if self._loop is not None and self.socket.fileno() >= 0:
            self._loop.remove_reader(self.socket.fileno())
        self.socket.close()

    def close(self) -> None:
        """Close the socket and all connections; what was written still leaves if the loop goes on."""
        self.stop_accepting()
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self.connections):
            connection.close()

    # -- sending -----------------------------------------------------------------------------------------------------

    def destination(self, host: str, port: int, *names: str) -> Destination:
        """The destination (host, port) through this listener; the same object each time. `names`: its certificate must
        speak for one of them, the domain that the next hop was configured by or those of its trunk; none: the address
        itself."""
        return self.paths.get(host, port, names).destination

    def alias(self, connection: Connection, port: int, *names: str) -> None:
        """Use a connection that was taken for what is sent to (its host, `port`) too (RFC 5923). Only for one whose far
        end is known to be that next hop: by its certificate, or by a trunk of one address behind a NAT."""
        path = self.paths.get(connection.host, port, names)
        if path.connection is None or path.connection.closing:
            path.connection = connection
            connection.aliases.append(path)

    # -- connections that begin and end ------------------------------------------------------------------------------

    def new_connection(self, address: Address, path: Path | None) -> Connection:
        """Makes the protocol of a connection; `path`: what it is made for, None for one that was taken."""
        made = path is not None
        return Connection(self, address, path or Path(self, address, (address[0],), -1), made)

    def opened(self, connection: Connection) -> None:
        """A connection is up; called by itself."""
        self.pending -= 1
        self.connections.add(connection)
        if connection.made:
            self.paths.opened(connection)

    def lost(self, connection: Connection, unsent: bool, now: float) -> None:
        """A connection has ended; called by itself. `unsent`: something that was written did not leave, or may not have
        arrived. A far end that closed in good order has read all: its response may come by another connection."""
        self.connections.discard(connection)
        self.closed[connection.reason] += 1
        if not connection.made:
            self._leave(connection.host)
        self.user.on_closed(connection, now)
        for path in (connection.path, *connection.aliases):
            if path.connection is connection:
                path.connection = None
                if unsent:
                    self.paths.give_up(path, now)

    @property
    def full(self) -> bool:
        """True when no more connections may be taken or made."""
        return len(self.connections) + self.pending >= self.limits.connections

    def _acceptable(self) -> None:
        for _ in range(ACCEPT_BURST):
            try:
                sock, address = self.socket.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _SHORT_OF:
                    self._pause_accepting()
                    return
                continue  # the far end was gone before it was its turn
            self._take(sock, address[0], address[1])

    def _take(self, sock: socket.socket, host: str, port: int) -> None:
        count = self._per_source.get(host, 0)
        if not self.user.admits(self.name, host):
            self._reset(sock, "stranger")
        elif count >= self.limits.per_source:
            self._reset(sock, "limit-source")
        elif self.full:
            self._reset(sock, "limit-all")
        else:
            sock.setblocking(False)
            self.accepted += 1
            self.pending += 1
            self._per_source[host] = count + 1
            tasks.spawn(self._greet(sock, (host, port)), f"accept-{self.name}", self.on_error)

    async def _greet(self, sock: socket.socket, address: Address) -> None:
        assert self._loop is not None
        connection = self.new_connection(address, None)
        try:
            await self._loop.connect_accepted_socket(
                lambda: connection,
                sock,
                ssl=None if self.tls is None else self.tls.server,
                ssl_handshake_timeout=None if self.tls is None else self.limits.handshake_s,
            )
        except OSError:
            self.refused["handshake"] += 1
            self._leave(address[0])
            sock.close()
        finally:
            if not connection.heard:
                self.pending -= 1

    def _reset(self, sock: socket.socket, why: str) -> None:
        """Close with RST: nothing of it stays, not even TIME_WAIT."""
        self.refused[why] += 1
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        sock.close()

    def _leave(self, host: str) -> None:
        count = self._per_source.get(host, 0) - 1
        if count > 0:
            self._per_source[host] = count
        else:
            self._per_source.pop(host, None)

    def _pause_accepting(self) -> None:
        assert self._loop is not None
        self._loop.remove_reader(self.socket.fileno())
        self._loop.call_later(ACCEPT_PAUSE_S, self._resume_accepting)

    def _resume_accepting(self) -> None:
        if self._loop is not None and self.socket.fileno() >= 0:
            self._loop.add_reader(self.socket.fileno(), self._acceptable)

    def _sweep(self) -> None:
        assert self._loop is not None
        now = monotonic()
        for connection in list(self.connections):
            connection.check(now)
        if self.tls is not None:
            self.tls.refresh()
        self._sweeper = self._loop.call_later(SWEEP_S, self._sweep)
