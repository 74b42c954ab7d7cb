"""What the gate asks of the stores, without saying which store answers.

The driver's errors are mapped once, at the store's edge: `Unavailable`, `Conflict`. Callbacks, not futures: a lookup is
one call in, one call back, with nothing allocated in between that is not needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class StoreError(Exception):
    """A store could not do what was asked."""


class Unavailable(StoreError):
    """The store is away, too slow, or holds no valid data (wrong or missing dataset epoch)."""

    def __init__(self, text: str = "", reason: str = "") -> None:
        """`reason`: one or two words for counters and records, where the text is for people."""
        super().__init__(text)
        self.reason = reason


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


class SubscriberLookup(Protocol):
    """Consent and refusals of a callee, by keyed hash. Calls of one loop turn share one round trip."""

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
