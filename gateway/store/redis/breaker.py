"""A circuit breaker: after some failures in a row nothing is asked until a probe is answered in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

FAILURES_TO_OPEN: Final = 5
"""Timeouts in a row. One slow command of somebody else's must not shut the gate; five are no accident."""

PROBE_EVERY_S: Final = 0.2
"""While open. A server that is back is used again within this time."""


class Breaker:
    """Pure state; its owner counts time and sends the probes."""

    __slots__ = ("_failures", "_on_change", "open", "opened")

    def __init__(self, on_change: Callable[[bool], None] = lambda is_open: None) -> None:
        """`on_change`: called with True when it opens and with False when it closes."""
        self._on_change = on_change
        self._failures = 0
        self.open = False
        self.opened = 0
        """Times it opened."""

    def failed(self) -> bool:
        """One more failure. True when this one opened it."""
        self._failures += 1
        if self.open or self._failures < FAILURES_TO_OPEN:
            return False
        self.open = True
        self.opened += 1
        self._on_change(True)
        return True

    def succeeded(self) -> None:
        """An answer came in time: closed, and counting from nought."""
        self._failures = 0
        if self.open:
            self.open = False
            self._on_change(False)
