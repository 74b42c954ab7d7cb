"""`ports.HeldKeys` of a process that has one pseudonym key, of which only the check is known."""

from __future__ import annotations

from collections.abc import Callable


class HeldKey:
    """No head makes it use another."""

    def __init__(self, check: bytes) -> None:
        self.check = check
        self.epoch = 0
        self.on_change: list[Callable[[], None]] = []

    def use(self, check: bytes, epoch: int) -> bool:
        return check == self.check
