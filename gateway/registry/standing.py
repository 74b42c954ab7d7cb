"""What stands against an operator, a trunk, a tenant or a number: tenants, restrictions, and bars with their times.

The control plane reads papers and restrictions and works out *bars*: a clause, a reason, and from when to when. A
worker compares these times with the time of a call, so that a licence ends, and a restriction begins, at its second
without anything being written. Plain immutable values; times are epoch seconds, an end of 0 is open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SubjectKind = Literal["operator", "trunk", "tenant", "range", "number"]
"""What a finding, a bar or a restriction is about. A number is canonical, everything else an id."""

RESTRICTED_KINDS = ("operator", "trunk", "number")
"""What access can be restricted for (RULES A32: number, then trunk, then operator)."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """Whom a seat rental's operator rents seats to (RULES A45). Its numbers name it (`NumberRange.tenant`)."""

    id: str
    operator: str
    name: str
    credit_code: str = ""
    state: Literal["active", "suspended"] = "active"


@dataclass(frozen=True, slots=True)
class Restriction:
    """Outbound access that was limited after violations (RULES A32). Inbound goes on."""

    id: int
    kind: SubjectKind
    subject: str
    reason: str
    from_at: float
    to_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Bar:
    """Outbound calls are refused in [from_at, to_at). `clause`: `A02` …; empty for a restriction."""

    clause: str
    reason: str
    from_at: float = 0.0
    to_at: float = 0.0

    def holds(self, at: float) -> bool:
        """True at this time."""
        return self.from_at <= at and (not self.to_at or at < self.to_at)

    @property
    def words(self) -> str:
        """`A02: no licence in force`."""
        return f"{self.clause}: {self.reason}" if self.clause else self.reason


@dataclass(frozen=True, slots=True)
class Standing:
    """The bars of one subject."""

    kind: SubjectKind
    subject: str
    bars: tuple[Bar, ...]
