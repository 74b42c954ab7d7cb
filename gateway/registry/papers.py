"""Papers: what an operator holds, promised, filed and was found guilty of, as documents with fields per kind.

A document is never changed: a later one supersedes it (`supersedes`), from the time the later one begins. So what was
known and in force at any time can be told ever after. Times are epoch seconds (0 = open); days in fields are ISO dates
(`2020-09-25`), since the regulator's terms count days."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

RESULTS = ("accepted", "rejected", "withdrawn", "pending")
"""Only an accepted document counts; a withdrawn or rejected one that supersedes another ends it."""
FOREVER = float("inf")
DAY_ZONE = timezone(timedelta(hours=8))
"""Where a day begins: China Standard Time has no summer time."""


@dataclass(frozen=True, slots=True)
class Licence:
    """Value-added telecom licence (RULES A02), or what stands for it in a free-trade zone (A49)."""

    holder: str = ""
    credit_code: str = ""
    service: str = ""
    """Operator class it allows: `call_centre` …"""
    regions: tuple[str, ...] = ()
    """Empty: the whole country."""
    basis: str = "permit"
    """`permit`, or `ftz_commitment`: notification and commitment in a free-trade zone (A49)."""
    zone: str = ""
    commitment_on: str = ""


@dataclass(frozen=True, slots=True)
class Promise:
    """A promise letter: `no_harassment` (RULES A09) or `no_violation` (A11, before a number may call out)."""

    subject: str = ""
    signer: str = ""
    signed_on: str = ""


@dataclass(frozen=True, slots=True)
class Certificate:
    """Code number certificate (RULES A12); its number is the document's reference."""

    holder: str = ""
    credit_code: str = ""
    first: str = ""
    last: str = ""
    length: int = 0
    outbound: bool = False
    inbound: bool = True
    regions: tuple[str, ...] = ()
    usage: tuple[str, ...] = ()
    """Purposes it may be used for; empty: not limited (B03)."""
    approved_on: str = ""
    """Day the approval was obtained: ten working days later the changed filing is due (A15)."""


@dataclass(frozen=True, slots=True)
class Filing:
    """Entry in the Code Number Resource Management System (RULES A13, A14)."""

    holder: str = ""
    credit_code: str = ""
    licence: str = ""
    """Reference of the licence it names."""
    certificate: str = ""
    """Reference of the certificate it names."""
    first: str = ""
    last: str = ""
    length: int = 0
    outbound: bool = False
    inbound: bool = True
    regions: tuple[str, ...] = ()
    carriers: tuple[str, ...] = ()
    usage: tuple[str, ...] = ()
    filed_on: str = ""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Cooperation agreement with a carrier (RULES A31)."""

    holder: str = ""
    credit_code: str = ""
    carrier: str = ""
    policy: str = ""
    """Rule pack it contains, as `id@version`."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """On-the-spot inspection of premises and personnel (RULES A03)."""

    place: str = ""
    inspected_on: str = ""


@dataclass(frozen=True, slots=True)
class BusinessPlan:
    """Declared form of business (RULES A08, A21)."""

    category: str = ""
    """`inbound`, `return_visit`, `consultation`, `own_customers` or `commercial_outbound`, which gets no access."""
    user_numbers: bool = False
    """Does it intend to use ordinary users' numbers or numbers that are not its own (A25)?"""


@dataclass(frozen=True, slots=True)
class Capability:
    """Checklist of technical capability for outbound calls (RULES A29); it ages."""

    consent_store: bool = False
    recorder: bool = False
    frequency_control: bool = False
    complaint_channel: bool = False
    probed_on: str = ""


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a tenant of a seat rental declared of itself (RULES A45)."""

    holder: str = ""
    credit_code: str = ""
    signed_on: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A decision against somebody, named by credit code or operator: `false_material` (RULES A04), `number_violation`
    (A20), `number_length` (A26), `marketing` (A27), `violator` (B15)."""

    category: str = ""
    credit_code: str = ""
    decided_on: str = ""
    until: str = ""
    """Last day it holds; empty: a year for `false_material`, else until a document supersedes it."""


Detail = (
    Licence
    | Promise
    | Certificate
    | Filing
    | Agreement
    | Inspection
    | BusinessPlan
    | Capability
    | Declaration
    | Finding
)
KINDS: dict[str, type[Detail]] = {
    "licence": Licence,
    "promise": Promise,
    "certificate": Certificate,
    "filing": Filing,
    "agreement": Agreement,
    "inspection": Inspection,
    "business_plan": BusinessPlan,
    "capability": Capability,
    "declaration": Declaration,
    "finding": Finding,
}


@dataclass(frozen=True, slots=True)
class Document:
    """One paper as it was recorded."""

    id: str
    kind: str
    operator: str
    """Empty: of nobody here (a finding on an outsider)."""
    detail: Detail
    reference: str = ""
    """The number printed on it."""
    tenant: str = ""
    result: str = "accepted"
    valid_from: float = 0.0
    valid_to: float = 0.0
    supersedes: str = ""
    sha256: str = ""
    """Of the file that was seen, 64 hex digits."""
    recorded_by: str = ""
    recorded_at: float = 0.0

    @property
    def begins(self) -> float:
        """From when it counts; a superseding one without `valid_from` from when it was recorded."""
        return self.valid_from or (self.recorded_at if self.supersedes else 0.0)

    def __str__(self) -> str:
        """As findings name it: `licence L-1 (B2-20200001)`."""
        return f"{self.kind} {self.id} ({self.reference})" if self.reference else f"{self.kind} {self.id}"


@dataclass(frozen=True, slots=True)
class Held:
    """A document and when it is in force: [begins, ends)."""

    document: Document
    begins: float
    ends: float

    def holds(self, at: float) -> bool:
        """True at this time."""
        return self.begins <= at < self.ends


def in_force(documents: Iterable[Document]) -> tuple[Held, ...]:
    """Accepted documents with the time they are in force: cut where a later one that supersedes them begins."""
    listed = tuple(documents)
    ends: dict[str, float] = {}
    for one in listed:
        if one.supersedes and one.result != "pending":
            ends[one.supersedes] = min(ends.get(one.supersedes, FOREVER), one.begins)
    held = (
        Held(one, one.begins, min(one.valid_to or FOREVER, ends.get(one.id, FOREVER)))
        for one in listed
        if one.result == "accepted"
    )
    return tuple(one for one in held if one.begins < one.ends)


def gaps(held: Iterable[Held]) -> list[tuple[float, float]]:
    """The times in which none is in force, as [from, to), 0 = open."""
    found: list[tuple[float, float]] = []
    reached = 0.0
    for one in sorted(held, key=lambda item: item.begins):
        if one.begins > reached:
            found.append((reached, one.begins))
        reached = max(reached, one.ends)
    if reached != FOREVER:
        found.append((reached, 0.0))
    return found


def day_start(text: str, after: int = 0) -> float:
    """Epoch seconds at which a day (ISO date) begins, or the `after`-th day after it. ValueError where it is none."""
    day = date.fromisoformat(text) + timedelta(days=after)
    return datetime(day.year, day.month, day.day, tzinfo=DAY_ZONE).timestamp()


def day_of(at: float) -> date:
    """The day of a time."""
    return datetime.fromtimestamp(at, DAY_ZONE).date()


def time_words(at: float) -> str:
    """A time as findings write it."""
    return datetime.fromtimestamp(at, DAY_ZONE).isoformat(sep=" ", timespec="seconds")


def year_after(text: str) -> str:
    """The same day of the next year (29 February: 1 March)."""
    day = date.fromisoformat(text)
    try:
        return day.replace(year=day.year + 1).isoformat()
    except ValueError:
        return date(day.year + 1, 3, 1).isoformat()
