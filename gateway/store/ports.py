"""What the gate asks of the stores, without saying which store answers.

The driver's errors are mapped once, at the store's edge: `Unavailable`, `Conflict`. Callbacks, not futures: a lookup is
one call in, one call back, with nothing allocated in between that is not needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

OTHER_KEY = "other key"
OTHER_KEY_TEXT = "pseudonym key differs from the data set's"
"""Reason and text of what is unavailable because its hashes were made with another pseudonym key."""


class StoreError(Exception):
    """A store could not do what was asked."""


class Unavailable(StoreError):
    """The store is away, too slow, or holds no valid data (wrong or missing dataset epoch)."""

    def __init__(self, text: str = "", reason: str = "") -> None:
        """`reason`: one or two words for counters and records, where the text is for people."""
        super().__init__(text)
        self.reason = reason


class Rekeyed(Unavailable):
    """The data set in force is hashed with another key, which is in use from now on: hash the number anew, and ask
    with that. `again` takes the hash and answers whoever asked, within the deadline of the first question."""

    def __init__(self, again: Callable[[bytes], None]) -> None:
        super().__init__(OTHER_KEY_TEXT, OTHER_KEY)
        self.again = again


class Conflict(StoreError):
    """The change contradicts what is stored."""


@dataclass(frozen=True, slots=True)
class ScopedRefusal:
    """A refusal of scope `caller_prefix`, `caller` or `operator`, or of any scope with a time band. `value` is
    canonical (`+86571`, operator id, purpose)."""

    scope: str
    value: str
    band: str = ""
    """When it counts (`policies.band`); empty: always."""


@dataclass(frozen=True, slots=True)
class SubscriberFacts:
    """What the store holds about one callee, for one operator and purpose."""

    consent: str
    """`live`, `none`, `revoked` or `expired` (policies.facts)."""
    refuses_all: bool = False
    refuses_category: bool = False
    """The callee declined the category of this call's purpose."""
    scoped: tuple[ScopedRefusal, ...] = ()


LookupReply = Callable[[SubscriberFacts | Unavailable], None]


class HeldKeys(Protocol):
    """The pseudonym keys of this process, of which one is in use (`gate.pseudonym.PseudonymRing`)."""

    check: bytes
    """Proves the key in use, as the head of a data set names it; b"": no head is held against it."""
    epoch: int
    """Newest dataset epoch whose head named the key in use."""
    on_change: list[Callable[[], None]]
    """Called when another key is in use: hashes made before find nobody any more."""

    def use(self, check: bytes, epoch: int) -> bool:
        """The head of this dataset epoch names a key; whether that is in use now."""
        ...


class SubscriberLookup(Protocol):
    """Consent and refusals of a callee, by keyed hash. Calls of one loop turn share one round trip.

    `Rekeyed` is an answer that asks for another question; whoever has no number to hash takes it as `Unavailable`."""

    def ask(self, callee_hash: bytes, operator: int, purpose: int, now: float, reply: LookupReply) -> None:
        """Ask once; `reply` is called exactly once, from the event loop, never from inside this call, within the
        configured deadline. `callee_hash`: 8 bytes; `operator`, `purpose`: the numbers of the registry snapshot;
        `now`: epoch seconds, against which expiry is judged."""
        ...


class Journal(Protocol):
    """Append-only evidence of one worker."""

    def append(self, payload: bytes) -> None:
        """Queue one record (no newline in it) for the next `commit`."""
        ...

    def commit(self) -> None:
        """Write everything queued with one write(2). Raises OSError, and keeps nothing of the batch, if that fails."""
        ...
