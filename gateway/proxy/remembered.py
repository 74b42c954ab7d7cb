"""Decision ids this process remembers, each kind with a bound: used, not answered yet, come to nothing.

A cookie is stateless and outlives its call; what the process knows about the call's end narrows what it still opens
(DESIGN §5, Dialog cookies). Whatever was forgotten, or happened before a restart, is judged by the cookie alone.
"""

from __future__ import annotations

from typing import Final

from gateway.proxy.cookie import short_hash
from gateway.sip.seen import Seen

MAX_USED: Final = 200_000
"""Decision ids kept since the start: 32 s, after which an INVITE's transaction is gone, of 6,000 calls/s."""

MAX_FAILED: Final = 100_000
"""Failed calls kept: only calls that were forwarded come here, so refused ones cannot push them out."""

MAX_LEGS: Final = 200_000
"""Answered dialogs kept: they matter only where one leg of a forked call ends and the other goes on."""


def leg_of(decision: bytes, callee_tag: bytes) -> bytes:
    """A dialog of a call: a forked call has several, one per callee tag (RFC 3261 §12)."""
    return decision + short_hash(callee_tag)


class Decisions:
    """What this process knows of its calls, by decision id."""

    __slots__ = ("_answered", "_failed", "_hung_up", "_repeats", "_unanswered", "_used")

    def __init__(self) -> None:
        self._used = Seen(MAX_USED)
        self._repeats = 0
        self._failed = Seen(MAX_FAILED)
        self._answered = Seen(MAX_LEGS)
        self._hung_up = Seen(MAX_LEGS)
        self._unanswered: set[bytes] = set()  # bounded by the INVITE transactions that are live

    def use(self, decision: bytes) -> int:
        """An initial INVITE takes this id; 0: as the first, else a number that no other was given."""
        if self._used.add(decision):
            return 0
        self._repeats += 1
        return self._repeats

    def forwarded(self, decision: bytes) -> None:
        """The call left towards its callee."""
        self._unanswered.add(decision)

    def settled(self, decision: bytes, answered: bool) -> None:
        """The set-up ended. Calls that never left have no cookie, and are not remembered."""
        if decision in self._unanswered:
            self._unanswered.discard(decision)
            if not answered:
                self._failed.add(decision)

    def leg_answered(self, leg: bytes) -> None:
        """A 2xx made this dialog (`leg_of`)."""
        self._answered.add(leg)

    def leg_ended(self, leg: bytes) -> None:
        """A BYE ended this dialog."""
        self._hung_up.add(leg)

    def leg_is_up(self, leg: bytes) -> bool:
        """True for a dialog that is known to be up, also when another leg of its forked call has ended."""
        return leg in self._answered and leg not in self._hung_up

    def unanswered(self, decision: bytes) -> bool:
        """True while a call is known to be in set-up here."""
        return decision in self._unanswered

    def in_setup(self) -> list[bytes]:
        """The calls in set-up here."""
        return list(self._unanswered)

    def failed(self, decision: bytes) -> bool:
        """True for a call that is known to have come to nothing."""
        return decision in self._failed
