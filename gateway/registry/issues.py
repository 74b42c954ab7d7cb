"""What a check of papers finds, and what it looks at. Pure; times are data, nobody's clock is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from gateway.registry.calendar import Calendar
from gateway.registry.model import NumberRange, Operator, Snapshot, Trunk
from gateway.registry.papers import Document, Held, in_force
from gateway.registry.standing import Bar, SubjectKind

Level = Literal["bar", "hold", "note"]
"""`bar`: outbound calls are refused while it holds. `hold`: the subject cannot be activated. `note`: reported."""

SERVICE_OF = {
    "call_centre": "call_centre",
    "seat_rental": "call_centre",
    "voice_platform": "voice_platform",
    "message_provider": "message",
    "mvno": "resale",
}
"""Operator class to the service its licence must name; classes that are not here need none (RULES A46-A48)."""


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that is wrong, in [from_at, to_at) (epoch seconds, 0 = open)."""

    clause: str
    level: Level
    kind: SubjectKind
    subject: str
    text: str
    from_at: float = 0.0
    to_at: float = 0.0

    @property
    def bar(self) -> Bar:
        """As a worker holds it against calls."""
        return Bar(self.clause, self.text, self.from_at, self.to_at)

    def holds(self, at: float) -> bool:
        """True at this time."""
        return self.bar.holds(at)

    def __str__(self) -> str:
        """`A02 operator alpha: no licence in force`."""
        return f"{self.clause} {self.kind} {self.subject}: {self.text}"


@dataclass(slots=True)
class Record:
    """The whole system of record, indexed for the checks."""

    snapshot: Snapshot
    documents: tuple[Document, ...]
    calendar: Calendar = field(default_factory=Calendar)
    packs: Mapping[str, str] = field(default_factory=dict)
    """Trunk to the label of the rule pack that judges its calls, `id@version`."""
    held: tuple[Held, ...] = field(init=False)
    operators: dict[str, Operator] = field(init=False)
    trunks: dict[str, Trunk] = field(init=False)
    ranges: dict[str, list[NumberRange]] = field(init=False)
    """By operator."""
    telling: int = field(init=False)
    """Characters of a canonical number that the plan's longest prefix looks at."""
    user_numbers: dict[tuple[str, int], bool] = field(init=False)
    """Ordinary users' numbers, by these characters and length."""
    _of: dict[tuple[str, str], list[Held]] = field(init=False)

    def __post_init__(self) -> None:
        self.held = in_force(self.documents)
        self.operators = {row.id: row for row in self.snapshot.operators}
        self.trunks = {row.id: row for row in self.snapshot.trunks}
        self.ranges = {}
        for row in self.snapshot.ranges:
            self.ranges.setdefault(row.operator, []).append(row)
        longest = max((len(entry.prefix) for entry in self.snapshot.plan), default=0)
        self.telling = 2 + len(self.snapshot.country) + longest
        self.user_numbers = {}
        self._of = {}
        for one in self.held:
            self._of.setdefault((one.document.operator, one.document.kind), []).append(one)

    def of(self, operator: str, kind: str) -> list[Held]:
        """An operator's documents of a kind that are in force at some time."""
        return self._of.get((operator, kind), [])

    def trunks_of(self, operator: str) -> list[Trunk]:
        """Its access trunks."""
        return [row for row in self.snapshot.trunks if row.operator == operator]


def shown(values: Iterable[str]) -> str:
    """A few values for a message."""
    return ", ".join(values) or "none"
