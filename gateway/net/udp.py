"""A UDP listener: one non-blocking socket, drained in bursts, written without waiting."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from gateway.net.lag import stamp_arrivals
from gateway.proxy.peer import Destination, Source

RECEIVE_BUFFER: Final = 4 * 1024 * 1024
"""Bytes asked of the kernel: about 4,000 messages, 100 ms of 5,000 calls/s, while the loop is busy elsewhere."""

MAX_BACKLOG = 10_000
"""Datagrams kept while the socket cannot take more; beyond it the newest are dropped, as UDP may."""

LOOK_EVERY: Final = 32
"""Turns of one datagram after which a second one is looked for. Below some thousand messages a second there is none,
and to be told so costs more than to receive. Once there was one, each turn looks for more until a lone one comes; so it
does while messages are seen to wait."""

Address = tuple[str, int]


def bind_udp(address: str, port: int, shared: bool) -> socket.socket:
    """A socket of a listener. `shared`: one of several on the same address and port. Raises OSError."""
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        if shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        stamp_arrivals(made)
        made.bind((address, port))
    except OSError:
        made.close()
        raise
    return made


class UdpListener:
    """One bound socket. `name` is the listener's name in the configuration."""

    transport: ClassVar[str] = "udp"

    __slots__ = (
        "_backlog", "_destinations", "dropped", "family", "group", "lone", "name", "sent_by", "socket",
        "sources", "writing",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        address: str,
        port: int,
        sent_by: bytes,
        shared: bool = False,
        group: Sequence[socket.socket] = (),
        index: int = 0,
    ) -> None:
        """`shared`: other workers of this user bind the same address and port (SO_REUSEPORT). `group`: the sockets of
        all workers, bound already, of which number `index` is this one's."""
        self.name = name
        self.sent_by = sent_by
        """Advertised host:port, as it goes into Via and Record-Route."""
        self.group = tuple(group)
        try:
            self.socket = self.group[index] if self.group else bind_udp(address, port, shared)
        except OSError as error:
            text = f"listener {name}: cannot bind udp {address}:{port}: {error.strerror}"
            raise OSError(error.errno, text) from error
        self.family = self.socket.family
        self._backlog: deque[tuple[bytes, Address]] = deque()
        self._destinations: dict[Address, Destination] = {}
        self.sources: dict[Any, Source] = {}
        """Known senders by their address as the socket gives it; kept by the edge."""
        self.dropped = 0
        self.lone = LOOK_EVERY
        """Turns of one datagram since a second one was last looked for. The first turn looks: much may have waited."""
        self.writing = False
        """True while datagrams wait for the socket."""

    @property
    def ipv6(self) -> bool:
        """True when the socket is an IPv6 one."""
        return self.family == socket.AF_INET6

    def destination(self, host: str, port: int) -> Destination:
        """The destination (host, port) through this listener; the same object each time."""
        found = self._destinations.get((host, port))
        if found is None:
            if len(self._destinations) > MAX_BACKLOG:
                self._destinations.clear()
            found = Destination(self, (host, port), b"UDP", self.sent_by, False)
            self._destinations[(host, port)] = found
        return found

    def send(self, data: bytes, address: Address) -> bool:
        """Send or queue. Raises OSError when the address cannot be reached; returns False when queued."""
        if self._backlog:
            self._queue(data, address)
            return False
        try:
            self.socket.sendto(data, address)
            return True
        except (BlockingIOError, InterruptedError):
            self._queue(data, address)
            return False

    def _queue(self, data: bytes, address: Address) -> None:
        if len(self._backlog) >= MAX_BACKLOG:
            self.dropped += 1
            return
        self._backlog.append((data, address))

    def drain(self) -> bool:
        """Send what waits; True when nothing is left."""
        while self._backlog:
            data, address = self._backlog[0]
            try:
                self.socket.sendto(data, address)
            except (BlockingIOError, InterruptedError):
                return False
            except OSError:
                self.dropped += 1
            self._backlog.popleft()
        return True

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()
        for other in self.group:
            other.close()
