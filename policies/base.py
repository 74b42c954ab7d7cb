"""What a rule is: a small pure class with an id, the facts it needs, and one question.

A rule looks at `Facts` and returns `None` (nothing against the call) or a short reason (the call is
refused). It never sees a clock, a socket or a store. A rule that raises refuses, and is counted (the engine
sees to that)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final, Protocol

from policies.facts import Facts

MEMORY: Final = "memory"
STORE: Final = "store"
"""`needs`: whether a rule can judge on what memory holds, or waits for the store's facts."""

LOCAL_TIME: Final = "local time"
PATTERNS: Final = "patterns"
"""`wants`: facts that cost something, and are filled for packs with a rule that looks at them only."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a refused caller gets: SIP status, phrase, Q.850 cause (0 = no Reason header), Retry-After
    seconds (0 = none)."""

    status: int
    phrase: str
    cause: int = 21
    retry_after: int = 0
    headers: tuple[tuple[str, str], ...] = field(default_factory=tuple)


class Rule(Protocol):
    """One rule. Instances are made once per pack version, from the pack's parameters.

    A rule may have three things more: `wants` (facts it looks at that others do without), `softens(facts)` (what it
    said only marks the record) and `retry_after(facts)` (seconds, for the answer); the last two are asked only after
    `judge` gave a reason."""

    id: ClassVar[str]
    binds: ClassVar[tuple[str, ...]]
    """Directions it looks at: OUTBOUND, INBOUND or both."""
    needs: ClassVar[str]
    answer: ClassVar[Answer]
    """Default answer; the pack may set another."""

    def __init__(self, params: Mapping[str, object]) -> None: ...

    def judge(self, facts: Facts) -> str | None:
        """A reason to refuse (short, no subscriber number in it), or None."""
        ...
