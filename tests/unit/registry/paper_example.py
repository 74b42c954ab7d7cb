"""A call centre with every paper in order, to be spoilt by one thing per test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from gateway.registry.calendar import read_calendar
from gateway.registry.issues import Issue, Record
from gateway.registry.model import NextHop, NumberRange, Operator, Snapshot, Trunk
from gateway.registry.paper_fields import read_detail
from gateway.registry.papers import DAY_ZONE, Document
from gateway.registry.papers_check import issues
from gateway.registry.publish import published
from gateway.registry.registry import Registry
from gateway.registry.standing import Tenant
from tests.unit.registry.example import EMERGENCY, PLAN

CODE = "91330100MA0000001F"
OTHER_CODE = "91330100MA0000002J"
CALENDAR = read_calendar(Path("config/calendars/cn.toml").read_text(encoding="utf-8"), "cn.toml")


def at(text: str) -> float:
    """A time in China."""
    return datetime.fromisoformat(text).replace(tzinfo=DAY_ZONE).timestamp()


NOW = at("2020-12-01 12:00:00")
BLOCK: Mapping[str, object] = {"first": "95013123", "last": "95013123", "length": 8, "outbound": True}


def document(name: str, kind: str, detail: Mapping[str, object], **changes: object) -> Document:
    """A document of alpha's."""
    made, problems = read_detail(kind, detail)
    assert problems == []
    row = Document(id=name, kind=kind, operator="alpha", detail=made, recorded_by="clerk", recorded_at=at("2020-07-01"))
    return replace(row, **changes)  # type: ignore[arg-type]


PAPERS = (
    document(
        *("licence", "licence", {"holder": "Alpha", "credit_code": CODE, "service": "call_centre"}), reference="B2-1",
        valid_from=at("2020-07-01"), valid_to=at("2025-07-01"),
    ),
    document(*("calm", "promise", {"subject": "no_harassment", "signer": "A", "signed_on": "2020-07-01"})),
    document(*("lawful", "promise", {"subject": "no_violation", "signer": "A", "signed_on": "2020-07-01"})),
    document(*("plan", "business_plan", {"category": "consultation"})),
    document(
        "able", "capability",
        {"consent_store": True, "recorder": True, "frequency_control": True, "complaint_channel": True,
         "probed_on": "2020-11-01"},
    ),
    document("seen", "inspection", {"place": "Hangzhou", "inspected_on": "2020-07-01"}),
    document("joint", "agreement", {"holder": "Alpha", "carrier": "Telecom", "policy": "example@1"}),
    document("certificate", "certificate", {"holder": "Alpha", "credit_code": CODE, **BLOCK}, reference="C-1"),
    document(
        "filing", "filing",
        {"holder": "Alpha", "credit_code": CODE, "licence": "B2-1", "certificate": "C-1", "filed_on": "2020-08-01",
         "carriers": ["Telecom"], "usage": ["consultation"], **BLOCK},
        reference="F-1",
    ),
)  # fmt: skip
OPERATOR = Operator("alpha", "Alpha", 1, credit_code=CODE)
TRUNK = Trunk(
    "cc-alpha", "access", "alpha", ("127.0.0.2",), next_hops=(NextHop("127.0.0.2"),), carrier="Telecom", circuit="L-1",
    contract="K-1", contract_from=at("2020-07-01"), contract_to=at("2025-07-01"), agreement="joint",
)  # fmt: skip
CARRIER = Trunk("carrier", "core", "", ("127.0.0.9",), next_hops=(NextHop("127.0.0.9"),), carrier="Telecom")
RANGE = NumberRange(
    "code", "95013123", "95013123", "alpha", ("cc-alpha",), outbound=True, purposes=("consultation",),
    certificate="C-1", filing="F-1", length=8, carriers=("Telecom",),
)  # fmt: skip


def record(
    *,
    operator: Operator = OPERATOR,
    trunk: Trunk = TRUNK,
    row: NumberRange = RANGE,
    papers: tuple[Document, ...] = PAPERS,
    tenants: tuple[Tenant, ...] = (),
    pack: str = "example@1",
    **changes: object,
) -> Record:
    """The record with these parts in place of its own."""
    snapshot = Snapshot(
        1, operators=(operator,), trunks=(trunk, CARRIER), ranges=(row,), plan=PLAN, emergency=EMERGENCY,
        purposes={"consultation": 1, "return_visit": 2}, tenants=tenants,
    )  # fmt: skip
    return Record(replace(snapshot, **changes), papers, CALENDAR, {"cc-alpha": pack})  # type: ignore[arg-type]


def without(*names: str) -> tuple[Document, ...]:
    """The papers but these."""
    return tuple(one for one in PAPERS if one.id not in names)


def altered(name: str, detail: Mapping[str, object] | None = None, **changes: object) -> tuple[Document, ...]:
    """The papers with one changed: fields of its kind, or of the document."""

    def change(one: Document) -> Document:
        if one.id != name:
            return one
        return replace(one, detail=replace(one.detail, **detail or {}), **changes)  # type: ignore[arg-type]

    return tuple(map(change, PAPERS))


def found(checked: Record, now: float = NOW, level: str = "") -> list[Issue]:
    """What is wrong now."""
    return [one for one in issues(checked) if one.holds(now) and (not level or one.level == level)]


def clauses(checked: Record, now: float = NOW, level: str = "") -> set[str]:
    """The clauses of what is wrong now."""
    return {one.clause for one in found(checked, now, level)}


def denials(checked: Record, now: float = NOW, tenant: str = "") -> str:
    """What a worker would hold against an outbound call of the range by the trunk."""
    registry = Registry(published(checked))
    row = registry.ranges.find(RANGE.first, now)
    said = registry.admissions.papers("cc-alpha", tenant, now)
    return "; ".join((*said, *(bar.words for bar in (row.bars if row else ()) if bar.holds(now))))
