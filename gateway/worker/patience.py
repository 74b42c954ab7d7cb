"""A lookup that waits for its first dataset.

A worker that was just started receives calls before its link to Redis is up. Refusing them would turn every restart
into an outage; so until the first dataset is known, questions are held back, for a few seconds and bounded, and only
then asked. Calls that need no store are not touched by it.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from gateway.store.ports import Counting, HeldKeys, LookupReply, Rekeyed, SubscriberLookup

HOLD_S: Final = 5.0
"""Longest wait from the start: an embedded Redis that was restarted empty is filled again well within it."""

MAX_HELD = 5_000
"""Questions held back: five seconds of 1,000 calls/s. More are asked at once, and refused as unavailable."""

_Question = tuple[bytes, int, int, float, LookupReply, Counting | None]


class PatientLookup:
    """`SubscriberLookup` in front of another."""

    __slots__ = ("_held", "_lookup", "_open")

    def __init__(self, lookup: SubscriberLookup, keys: HeldKeys | None = None) -> None:
        """`keys`: that the questions are hashed with."""
        self._lookup = lookup
        if keys is not None:
            keys.on_change.append(self._key_changed)
        self._open = False
        self._held: list[_Question] = []

    @property
    def held(self) -> int:
        """Questions held back."""
        return len(self._held)

    def ask(
        self,
        callee_hash: bytes,
        operator: int,
        purpose: int,
        now: float,
        reply: LookupReply,
        counting: Counting | None = None,
    ) -> None:
        """See `SubscriberLookup.ask`."""
        if self._open or len(self._held) >= MAX_HELD:
            self._lookup.ask(callee_hash, operator, purpose, now, reply, counting)
        else:
            self._held.append((callee_hash, operator, purpose, now, reply, counting))

    def release(self) -> None:
        """The first dataset is known, or the wait is over: ask what was held back, and hold nothing from now on."""
        self._open = True
        held, self._held = self._held, []
        for question in held:
            self._lookup.ask(*question)

    def _key_changed(self) -> None:
        """The first head that was seen names another key: what is held back is hashed anew."""
        held, self._held = self._held, []
        for question in held:
            question[4](Rekeyed(partial(self._hold_again, question)))

    def _hold_again(self, question: _Question, callee_hash: bytes) -> None:
        _, operator, purpose, now, reply, counting = question
        self.ask(callee_hash, operator, purpose, now, reply, counting)
