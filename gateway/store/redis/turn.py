"""What was asked in one turn of the event loop, and the reasons why an answer may be `Unavailable`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from gateway.store.ports import OTHER_KEY, Counting, LookupReply, SubscriberFacts, Unavailable
from gateway.store.redis.facts import Dataset

__all__ = [
    "BREAKER_OPEN", "LINK_DOWN", "MOVED", "NO_DATA_SET", "OTHER_KEY", "TIMEOUT", "AnyKey", "Ask", "Turn", "refuse",
    "tell",
]  # fmt: skip

TIMEOUT: Final = "timeout"
LINK_DOWN: Final = "link down"
BREAKER_OPEN: Final = "breaker open"
NO_DATA_SET: Final = "no data set"
MOVED: Final = "moved"
"""`Unavailable.reason`, with `OTHER_KEY` all there are."""

Ask = tuple[bytes, int, int, float, LookupReply, Counting | None]
"""Callee hash, operator, purpose, epoch seconds, whom to tell, what to count: as `ports.SubscriberLookup.ask` takes
them."""


class Turn:
    """The asks of one turn. Once answered or refused, `asks` is empty: late replies find nothing to do."""

    __slots__ = ("asked_at", "asks", "dataset", "looked_again", "repeated", "taught")

    def __init__(self, asks: list[Ask], asked_at: float) -> None:
        self.asks = asks
        self.asked_at = asked_at
        self.dataset: Dataset | None = None
        self.repeated = False
        """Asked of a second dataset."""
        self.looked_again = False
        """The deadline was met; the sockets are looked at once more."""
        self.taught = False
        """Asked again after the server was told the script."""


def tell(loop: asyncio.AbstractEventLoop, reply: LookupReply, answer: SubscriberFacts | Unavailable) -> None:
    """Answer one ask."""
    try:
        reply(answer)
    except Exception as error:  # a caller's fault must not leave the other asks of the turn unanswered
        loop.call_exception_handler({"message": "lookup reply failed", "exception": error})


def refuse(loop: asyncio.AbstractEventLoop, turn: Turn, text: str, reason: str) -> None:
    """Answer every ask of a turn `Unavailable`, with an instance of its own."""
    asks, turn.asks = turn.asks, []
    for ask in asks:
        tell(loop, ask[4], Unavailable(text, reason))


class AnyKey:
    """`HeldKeys` of whoever takes a data set under any key: nothing is held against it."""

    def __init__(self) -> None:
        self.check = b""
        self.epoch = 0
        self.on_change: list[Callable[[], None]] = []

    def use(self, check: bytes, epoch: int) -> bool:
        """Never asked."""
        return True
