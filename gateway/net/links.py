"""The event loop's side of a `Handover`: who connects, what arrives, when to try again, whose sockets to read."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from time import monotonic
from typing import Final

from gateway.net.handover import Handover
from gateway.net.parcels import Parcel
from gateway.net.sibling import RETRY_S

GREETING_S: Final = 6.0
"""Seconds that a worker that has come (back) waits at most for the others to tell what they keep. They do so within a
turn, which on a starved machine was seen to take more than one second; one that hangs is killed after five, and is then
waited for no longer. Beginning without their word would bring calls to two workers."""

MAX_EARLY: Final = 10_000
"""Messages handed over while it waits for that; what is more is dropped, as UDP may."""

Turn = Callable[[list[Parcel], float], None]
"""A turn of messages to be handled here, at a monotonic time; may be empty. It ends with `Links.flush` and `tell`."""


class Links:
    """Reads what other workers hand over, and makes turns of it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        handover: Handover,
        turn: Turn,
        greeted: Callable[[], None],
        read_for: Callable[[int, bool], None],
    ) -> None:
        """`greeted`: told once, when messages may be taken. `read_for(share, yes)`: begin and end to read the sockets
        of a worker that is away."""
        self._loop = loop
        self.handover = handover
        self._turn = turn
        self._greeted: Callable[[], None] | None = greeted
        self._read_for = read_for
        self._shares: set[int] = set()
        self._early: list[Parcel] = []
        self._retry: asyncio.TimerHandle | None = None
        self._patience: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Begin to accept, and greet the others."""
        now = monotonic()
        self.handover.open(now)
        server = self.handover.server
        if server is not None:
            self._loop.add_reader(server.fileno(), self._connected)
        for link in self.handover.links:
            self._loop.add_reader(link.fileno(), self._readable, link)
        self._patience = self._loop.call_later(GREETING_S, self._ready)
        self._turn([], now)

    def _ready(self) -> None:
        greeted, self._greeted = self._greeted, None
        if greeted is not None:
            if self._patience is not None:
                self._patience.cancel()
            greeted()
            early, self._early = self._early, []
            now = monotonic()
            self._turn([parcel for parcel in early if not self.handover.passes(parcel, now)], now)

    def flush(self, now: float) -> list[Parcel]:
        """See `Handover.flush`."""
        return self.handover.flush(now)

    def tell(self, now: float) -> None:
        """After the records of a turn were written. While others are away a turn comes again by itself."""
        handover = self.handover
        if handover.server is None:
            return  # a turn before there is anything to receive
        handover.tell(now)
        if self._greeted is not None and handover.greeted:
            self._ready()
        if self._greeted is None and (self._shares or handover.alone):
            self._review(now)
        if self._retry is None and (handover.waiting or handover.alone):
            self._retry = self._loop.call_later(RETRY_S, self._again)

    def _review(self, now: float) -> None:
        shares = self.handover.shares(now)
        for share in self._shares ^ shares:
            self._read_for(share, share in shares)
        self._shares = shares

    def _again(self) -> None:
        self._retry = None
        self._turn([], monotonic())

    def _connected(self) -> None:
        link = self.handover.accept()
        if link is not None:
            self._loop.add_reader(link.fileno(), self._readable, link)

    def _readable(self, link: socket.socket) -> None:
        now = monotonic()
        parcels = self.handover.receive(link, now)
        if parcels is None:
            self._loop.remove_reader(link.fileno())
            self.handover.leave(link, now)
        if parcels and self._greeted is not None:
            self._early += parcels[: MAX_EARLY - len(self._early)]
            parcels = None
        self._turn(parcels or [], now)

    def close(self) -> None:
        """Stop reading, and tell the others that this worker is gone."""
        self._greeted = None
        for timer in (self._retry, self._patience):
            if timer is not None:
                timer.cancel()
        self._retry = self._patience = None
        server = self.handover.server
        for end in (*self.handover.links, *((server,) if server is not None else ())):
            self._loop.remove_reader(end.fileno())
        self.handover.close()
