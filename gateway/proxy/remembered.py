"""Decision ids this process remembers, each kind with a bound: used, not answered yet, come to nothing.

A cookie is stateless and outlives its call; what the process knows about the call's end narrows what it still opens
(DESIGN §5, Dialog cookies). Whatever was forgotten, or happened before a restart, is judged by the cookie alone.
"""

from __future__ import annotations

from typing import Final

from gateway.proxy.cookie import short_hash

MAX_USED: Final = 200_000
"""Decision ids kept since the start: 32 s, after which an INVITE's transaction is gone, of 6,000 calls/s; 30 MB."""

MAX_FAILED: Final = 100_000
"""Failed calls kept: only calls that were forwarded come here, so refused ones cannot push them out."""


MAX_LEGS: Final = 200_000
"""Answered dialogs kept: they matter only where one leg of a forked call ends and the other goes on."""


class Generations:
    """A bounded set of ids, the oldest out: two halves, of which the older is dropped when the younger is full.

    (A dict that loses its first key at each turn is searched from its start again and again.)
    """

    __slots__ = ("_half", "_old", "_young")

    def __init__(self, limit: int) -> None:
        """At most `limit` ids are kept, and at least half of that many of the last ones."""
        self._half = max(limit // 2, 1)
        self._young: dict[bytes, int] = {}
        self._old: dict[bytes, int] = {}

    def __contains__(self, key: bytes) -> bool:
        return key in self._young or key in self._old

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def add(self, key: bytes) -> int:
        """Remember a key; returns how often it was added before."""
        count = self._young.get(key, 0) or self._old.get(key, 0)
        if len(self._young) >= self._half and key not in self._young:
            self._old = self._young
            self._young = {}
        self._young[key] = count + 1
        return count


def leg_of(decision: bytes, callee_tag: bytes) -> bytes:
    """A dialog of a call: a forked call has several, one per callee tag (RFC 3261 §12)."""
    return decision + short_hash(callee_tag)


class Decisions:
    """What this process knows of its calls, by decision id."""

    __slots__ = ("_answered", "_failed", "_hung_up", "_unanswered", "_used")

    def __init__(self) -> None:
        self._used = Generations(MAX_USED)
        self._failed = Generations(MAX_FAILED)
        self._answered = Generations(MAX_LEGS)
        self._hung_up = Generations(MAX_LEGS)
        self._unanswered: set[bytes] = set()  # bounded by the INVITE transactions that are live

    def use(self, decision: bytes) -> int:
        """An initial INVITE takes this id; returns how many did before."""
        return self._used.add(decision)

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
