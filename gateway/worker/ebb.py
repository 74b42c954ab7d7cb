"""When the load goes down, memory goes back to the machine.

What a busy worker remembers to be quicker (lines, names, cookies it has read) lies between transactions that are long
gone, and an allocator returns only what is free as a whole: without this, one minute of overload would be paid with its
memory until the next restart. Even a counter can hold a megabyte, for Python makes each new number where there is room
just then: so counts are made anew (`gather`) and come to lie side by side.
"""

from __future__ import annotations

import ctypes
from typing import Final

FALLEN: Final = 4
"""The load has gone down where this part of the most transactions there were is left."""

MIN_TRANSACTIONS: Final = 256
"""Fewer than this at most hold nothing worth giving back: 1 MB."""


class Ebb:
    """Watches the number of transactions of one worker."""

    __slots__ = ("_high",)

    def __init__(self) -> None:
        self._high = 0
        """Most transactions since memory was given back."""

    def has_fallen(self, transactions: int) -> bool:
        """Told how many there are, once a second. True: now is the time to give memory back."""
        if transactions > self._high:
            self._high = transactions
        if self._high < MIN_TRANSACTIONS or transactions * FALLEN > self._high:
            return False
        self._high = transactions
        return True


def give_back() -> None:
    """Return the allocator's free pages to the machine: malloc_trim(3), where the C library is glibc. (Python's own
    arenas go back by themselves as soon as nothing is left in them.)"""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
