"""What the gate asks of the stores, without saying which store answers.

The driver's errors are mapped once, at the store's edge: `Unavailable`, `Conflict`. Callbacks, not futures: a lookup is
one call in, one call back, with nothing allocated in between that is not needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
class CountSpec:
    """What the calls of one pack and purpose are counted for. Made once per pack."""

    flags: int
    """`store.redis.counters`: what has to hold before an attempt is counted."""
    numbers: tuple[int, ...]
    """Milliseconds counters are kept; how many limits there are of the callee and of operator and callee; silence after
    declined, busy, unanswered; window of triggers; then count and milliseconds of each limit. All times in ms."""


@dataclass(frozen=True, slots=True)
class Counting:
    """What is to be counted with one question."""

    spec: CountSpec
    decision: bytes
    """Decision id, 16 bytes: an attempt is counted once."""
    purpose: bool = True
    """The call has a purpose."""
    dry: bool = False
    """Count nothing: only say what was counted."""
    judged: bool = False
    """The callee's scoped refusals were looked at, and do not meet this call."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What was counted of a callee before this attempt; ages in milliseconds, newest first, -1: never."""

    counted: bool
    """This attempt is counted, now or before."""
    callee_ages_ms: tuple[int, ...] = ()
    operator_ages_ms: tuple[int, ...] = ()
    result_ages_ms: tuple[int, int, int] = (-1, -1, -1)
    trigger_age_ms: int = -1
    since_ms: int = 0


@dataclass(frozen=True, slots=True)
class SubscriberFacts:
    """What the store holds about one callee, for one operator and purpose."""

    consent: str
    """`live`, `none`, `revoked` or `expired` (policies.facts)."""
    refuses_all: bool = False
    refuses_category: bool = False
    """The callee declined the category of this call's purpose."""
    scoped: tuple[ScopedRefusal, ...] = ()
    tally: Tally | None = None
    """None where nothing was asked to be counted."""


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

    def ask(
        self,
        callee_hash: bytes,
        operator: int,
        purpose: int,
        now: float,
        reply: LookupReply,
        counting: Counting | None = None,
    ) -> None:
        """Ask once; `reply` is called exactly once, from the event loop, never from inside this call, within the
        configured deadline. `callee_hash`: 8 bytes; `operator`, `purpose`: the numbers of the registry snapshot;
        `now`: epoch seconds, against which expiry is judged. `counting`: read what is counted of the callee as well,
        and count this attempt, in the same step."""
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """A rung of the ladder of restrictions, for one subject."""

    kind: str
    """`number`, `trunk` or `operator`."""
    subject: str
    limits: tuple[tuple[int, int], ...]
    """Count and seconds: the count-th violation in a window restricts it."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A refusal that counts against whom it was refused."""

    decision: str
    """Decision id, 32 hex digits: it counts once."""
    rule: str
    at: float
    """Epoch seconds."""
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class LiveRestriction:
    """A restriction that the ladder made."""

    uid: str
    """Decision id of the violation that was one too many."""
    at: float
    """Epoch seconds."""
    rule: str
    count: int
    seconds: int

    @property
    def reason(self) -> str:
        """In words, without a number."""
        return f"{self.count} violations in {self.seconds} s, the last one {self.rule}"


class CallCounters(Protocol):
    """What the gate tells the store beside its question. Nothing here raises; what cannot be told now is told later,
    within a bound."""

    def violated(self, violation: Violation, done: Callable[[], None]) -> None:
        """Count it; `done` is called once, from the event loop, when it is counted and every later question will know
        what it closed; at the deadline at the latest, and then it is counted when the store is back."""
        ...

    def release(self, callee_hash: bytes, operator: int, decision: bytes) -> None:
        """An attempt that was counted did not go on."""
        ...

    def note_result(self, callee_hash: bytes, operator: int, result: str, at: float, keep_s: int) -> None:
        """How an attempt ended (`policies.cooldown.RESULTS`)."""
        ...

    def note_trigger(self, callee_hash: bytes, operator: int, at: float, keep_s: int) -> None:
        """The callee called the operator."""
        ...


@dataclass(frozen=True, slots=True)
class TrunkLimit:
    """What a trunk can carry; 0: no limit."""

    trunk: str
    channels: int
    cps: int


class CallChannels(Protocol):
    """Channels of trunks, shared by all workers. Nothing here raises."""

    def take(self, decision: str, limits: Sequence[TrunkLimit], at: float, done: Callable[[str], None]) -> None:
        """Take a channel of each trunk, or of none. `done` is told once, from the event loop, within the configured
        deadline: why there is none, or empty. `at`: epoch seconds."""
        ...

    def keep(self, decision: str, until: float) -> None:
        """The call is up, and may last until then (epoch seconds)."""
        ...

    def release(self, decision: str) -> None:
        """The call is over, or never began."""
        ...


class Journal(Protocol):
    """Append-only evidence of one worker."""

    def append(self, payload: bytes) -> None:
        """Queue one record (no newline in it) for the next `commit`."""
        ...

    def commit(self) -> None:
        """Write everything queued with one write(2). Raises OSError, and keeps nothing of the batch, if that fails."""
        ...
