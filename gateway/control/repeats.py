"""Says when a problem that lasts is due to be logged: at once, then once a minute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

REPEAT_S: Final = 60.0
"""Seconds between two lines about the same problem."""

MAX_KEYS: Final = 1_000
"""Problems remembered; journals and kinds of errors are few. Full: forget all, which costs a few lines too many."""


class Repeats:
    """Remembers what was logged when. Problems are the same by their key, not by their text: a text often has numbers
    in it that change every time."""

    __slots__ = ("_clock", "_logged")

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock`: seconds."""
        self._clock = clock
        self._logged: dict[tuple[str, ...], float] = {}

    def due(self, *key: str) -> bool:
        """Log it now? Then it is taken as logged."""
        now = self._clock()
        last = self._logged.get(key)
        # A clock that was set back must not silence a problem.
        if last is not None and 0 <= now - last < REPEAT_S:
            return False
        if len(self._logged) >= MAX_KEYS:
            self._logged.clear()
        self._logged[key] = now
        return True
