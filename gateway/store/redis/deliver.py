"""What a worker tells the counters beside its questions: sent at once, and again until it was taken.

Commands here say the same however often they arrive (each names its call), so one whose answer was lost is sent once
more. While Redis is away they wait, up to a bound; the oldest are given up first, and counted."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from gateway.store.redis.client import Asked
from gateway.store.redis.connection import Replies

MAX_WAITING: Final = 10_000
"""Commands that wait: some megabytes, and ten seconds of a thousand refusals a second."""
AGAIN_S: Final = 0.2
AT_ONCE: Final = 200
"""Sent again together: a Redis that is back is not to be stopped by what has waited for it."""

_LOST = ("MOVED", "ASK", "LOADING", "READONLY", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN", "BUSY", "OOM", "MISCONF")
"""Errors that say nothing against the command."""

Done = Callable[[Any], None]
"""Told the reply, once it is there."""


class Deliveries:
    """One worker's."""

    __slots__ = ("_loop", "_route", "_timer", "_waiting", "delivered", "given_up")

    def __init__(self, route: Callable[[int], Asked | None], loop: asyncio.AbstractEventLoop) -> None:
        """`route`: the link to whoever holds a place (`names`)."""
        self._route = route
        self._loop = loop
        self._waiting: deque[tuple[int, bytes, Done | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self.delivered = 0
        self.given_up = 0
        """Commands that were never taken: more than `MAX_WAITING` waited."""

    def __len__(self) -> int:
        """Commands that wait to be sent again."""
        return len(self._waiting)

    def send(self, place: int, words: bytes, done: Done | None = None) -> bool:
        """One command, with one reply. False: not now, it waits."""
        link = self._route(place)
        if link is not None and link.send(words, 1, partial(self._answered, place, words, done)):
            return True
        self._wait(place, words, done)
        return False

    def close(self) -> None:
        """Send nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.given_up += len(self._waiting)
        self._waiting.clear()

    def _answered(self, place: int, words: bytes, done: Done | None, replies: Replies | None) -> None:
        if replies is None or (isinstance(replies[0], Exception) and str(replies[0]).startswith(_LOST)):
            self._wait(place, words, done)
            return
        self.delivered += 1
        if done is not None:
            done(replies[0])

    def _wait(self, place: int, words: bytes, done: Done | None) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.popleft()
            self.given_up += 1
        self._waiting.append((place, words, done))
        if self._timer is None:
            self._timer = self._loop.call_later(AGAIN_S, self._again)

    def _again(self) -> None:
        self._timer = None
        for _ in range(min(AT_ONCE, len(self._waiting))):
            place, words, done = self._waiting.popleft()
            self.send(place, words, done)
        if self._waiting and self._timer is None:
            self._timer = self._loop.call_later(AGAIN_S, self._again)
