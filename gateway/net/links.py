"""The event loop's side of a `Handover`: who connects, what arrives, when to try again."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from time import monotonic

from gateway.net.handover import Handover
from gateway.net.parcels import Parcel
from gateway.net.sibling import RETRY_S

Turn = Callable[[list[Parcel], float], None]
"""A turn of messages to be handled here, at a monotonic time; may be empty. It ends with `Links.flush`."""


class Links:
    """Reads what other workers hand over, and makes turns of it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, handover: Handover, turn: Turn) -> None:
        self._loop = loop
        self.handover = handover
        self._turn = turn
        self._retry: asyncio.TimerHandle | None = None

    def open(self) -> bool:
        """Begin to read. True: other workers are there."""
        found = self.handover.open(monotonic())
        server = self.handover.server
        if server is not None:
            self._loop.add_reader(server.fileno(), self._connected)
        return found

    def flush(self, now: float) -> list[Parcel]:
        """See `Handover.flush`; while messages are held for somebody, a turn comes again by itself."""
        back = self.handover.flush(now)
        if self.handover.waiting and self._retry is None:
            self._retry = self._loop.call_later(RETRY_S, self._again)
        return back

    def _again(self) -> None:
        self._retry = None
        self._turn([], monotonic())

    def _connected(self) -> None:
        now = monotonic()
        link = self.handover.accept(now)
        if link is not None:
            self._loop.add_reader(link.fileno(), self._readable, link)
            self._turn([], now)

    def _readable(self, link: socket.socket) -> None:
        now = monotonic()
        parcels = self.handover.receive(link, now)
        if parcels is None:
            self._loop.remove_reader(link.fileno())
            self.handover.leave(link)
        elif parcels or self.handover.waiting:
            self._turn(parcels, now)

    def close(self) -> None:
        """Stop reading, and tell the others that this worker is gone."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        server = self.handover.server
        for end in (*self.handover.accepted, *((server,) if server is not None else ())):
            self._loop.remove_reader(end.fileno())
        self.handover.close()
