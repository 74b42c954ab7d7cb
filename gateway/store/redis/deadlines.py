"""The deadline of every open turn, on one timer: turns expire in the order they began."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from gateway.store.redis.turn import Turn

LOOK_AGAIN_S: Final = 0.001
"""At the deadline the loop looks at its sockets once more: where this process was kept from running, what the server
answered in time lies there unread."""


class Deadlines:
    """Of one lookup."""

    __slots__ = ("_deadline", "_loop", "_on_expired", "_timer", "_turns")

    def __init__(self, deadline_s: float, loop: asyncio.AbstractEventLoop, on_expired: Callable[[Turn], None]) -> None:
        """`on_expired`: told of a turn that was not answered within `deadline_s` seconds."""
        self._deadline = deadline_s
        self._loop = loop
        self._on_expired = on_expired
        self._turns: deque[Turn] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, turn: Turn) -> None:
        """A turn that began now."""
        self._turns.append(turn)
        if self._timer is None:
            self._timer = self._loop.call_later(self._deadline, self._expire)

    def add_first(self, turn: Turn) -> None:
        """A turn whose deadline began before that of any that is open: it is looked at first."""
        self._turns.appendleft(turn)
        if self._timer is not None:
            self._timer.cancel()
        self._expire()

    def close(self) -> list[Turn]:
        """Stop the timer. Returns the turns that were open."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        turns = list(self._turns)
        self._turns.clear()
        return turns

    def _expire(self) -> None:
        self._timer = None
        now = self._loop.time()
        turns = self._turns
        while turns:
            turn = turns[0]
            if turn.asks:
                left = turn.asked_at + self._deadline - now
                if left > 0 or not turn.looked_again:
                    turn.looked_again = left <= 0
                    self._timer = self._loop.call_later(max(left, LOOK_AGAIN_S), self._expire)
                    return
                self._on_expired(turn)
            turns.popleft()
