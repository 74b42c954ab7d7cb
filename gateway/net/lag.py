"""How long messages wait before they are read: the measure of overload (`proxy.overload`).

The kernel stamps each datagram as it arrives (SO_TIMESTAMPNS, socket(7)); now and then the stamp of the first one in a
turn is looked at, which is the oldest there is. Beside it stands how late the timer fires, which also tells of a loop
that is held up where nothing arrives by datagram.
"""

from __future__ import annotations

import socket
import struct
from time import time

SAMPLE_S = 0.01
"""Between two looks at one socket's stamps: each costs 2 us."""

VALID_S = 0.1
"""How long what was seen counts: without new readings there is no load."""

LEAST_S = 0.001
"""Less is no delay."""

MAX_DELAY_S = 60.0
"""More than this is a clock that was set."""

MAX_SOCKETS = 1_024
"""Sockets remembered; a worker reads a few."""

_SO_TIMESTAMPNS = 35
"""Linux, asm-generic/socket.h; the control message has the same number. Python has no name for it."""
_TIMESPEC = struct.Struct("@ll")


def stamp_arrivals(made: socket.socket) -> None:
    """Ask the kernel for the stamps."""
    made.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)


class Lag:
    """Of one worker. `now` is monotonic seconds."""

    __slots__ = ("_delay", "_due", "_seen", "_until")

    def __init__(self) -> None:
        self._due: dict[socket.socket, float] = {}
        self._seen: dict[socket.socket, tuple[float, float]] = {}
        self._delay = 0.0
        self._until = 0.0

    def due(self, sock: socket.socket, now: float) -> bool:
        """Is the next datagram of this socket to be read with `receive`?"""
        if now < self._due.get(sock, 0.0):
            return False
        if len(self._due) >= MAX_SOCKETS:
            self._due.clear()
            self._seen.clear()
        self._due[sock] = now + SAMPLE_S
        return True

    def receive(self, sock: socket.socket, size: int, now: float) -> tuple[bytes, tuple[str, int]]:
        """`recvfrom`, with a look at the datagram's stamp. Raises OSError."""
        data, ancillary, _, address = sock.recvmsg(size, 64)
        for level, kind, value in ancillary:
            if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(value) == _TIMESPEC.size:
                seconds, nanoseconds = _TIMESPEC.unpack(value)
                self._saw(sock, time() - seconds - nanoseconds / 1e9, now)
        return data, address

    def emptied(self, sock: socket.socket, now: float) -> None:
        """This socket was read to its end: nothing stands in it. A burst that came while the process did not run, and
        is worked off when it does, is no overload."""
        if self._delay > 0.0:
            self._saw(sock, 0.0, now)

    def _saw(self, sock: socket.socket, delay: float, now: float) -> None:
        self._seen[sock] = (delay if LEAST_S < delay < MAX_DELAY_S else 0.0, now + VALID_S)
        self._delay = max(delay for delay, until in self._seen.values() if now < until)
        self._until = now + VALID_S

    def timer(self, late: float, now: float) -> None:
        """The timer fired so many seconds late."""
        if late > self.at(now):
            self._delay = late
            self._until = now + VALID_S

    def at(self, now: float) -> float:
        """Seconds that messages wait now; 0 where nothing was seen lately."""
        return self._delay if now < self._until else 0.0
