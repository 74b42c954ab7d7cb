"""All checks on papers together: every issue, what keeps a subject from being activated, what expires soon."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.registry.issues import Issue, Record
from gateway.registry.model import Snapshot
from gateway.registry.numbering import NumberingPlan
from gateway.registry.paper_agree import operator_disagreements
from gateway.registry.paper_findings import finding_issues
from gateway.registry.paper_number import filing_deadlines, range_issues
from gateway.registry.paper_operator import operator_issues
from gateway.registry.paper_trunk import trunk_issues
from gateway.registry.papers import FOREVER, Document

WARN_DAYS = (60, 30, 7)
"""Days before expiry at which reports warn (RULES A02)."""
DAY = 86_400.0


def issues(record: Record) -> Iterator[Issue]:
    """Everything that is wrong at some time, in no particular order."""
    yield from subject_issues(record)
    plan = plan_of(record.snapshot)
    for row in record.snapshot.ranges:
        yield from range_issues(record, row, plan)


def subject_issues(record: Record) -> Iterator[Issue]:
    """Those of operators, trunks and tenants. Of the ranges it matters who has some, and who calls out from some."""
    snapshot = record.snapshot
    for operator in snapshot.operators:
        yield from operator_issues(record, operator)
        yield from filing_deadlines(record, operator.id)
        for text in operator_disagreements(record, operator):
            yield Issue("A23", "bar", "operator", operator.id, text)
    for trunk in snapshot.trunks:
        if trunk.is_access:
            yield from trunk_issues(record, trunk)
    yield from finding_issues(record)


def plan_of(snapshot: Snapshot) -> NumberingPlan:
    """Its numbering plan, to read numbers with."""
    return NumberingPlan(snapshot.plan, snapshot.emergency, snapshot.country, snapshot.zone)


def activation(record: Record, kind: str, subject: str, at: float) -> list[Issue]:
    """All that keeps an operator, a trunk or a range from being activated at this time (RULES A21): the list is
    complete, so that it can be mended in one round. A trunk needs its operator's papers as well as its own; an
    operator what all its trunks and ranges need; a range is opened where nothing bars its operator's calls."""
    wanted = {(kind, subject)}
    if kind == "operator":
        wanted |= {("trunk", row.id) for row in record.trunks_of(subject)}
        wanted |= {("range", row.id) for row in record.ranges.get(subject, ())}
    elif kind == "trunk" and subject in record.trunks:
        wanted.add(("operator", record.trunks[subject].operator))
        wanted |= {("range", row.id) for row in record.snapshot.ranges if subject in row.trunks}
    elif kind == "range":
        wanted |= {("operator", row.operator) for row in record.snapshot.ranges if row.id == subject}
    return [
        issue
        for issue in issues(record)
        if issue.level != "note"
        and (issue.kind, issue.subject) in wanted
        and (issue.level == "bar" or issue.kind == kind or kind != "range")
        and issue.holds(at)
    ]


@dataclass(frozen=True, slots=True)
class Expiring:
    """Something that ends soon, or ended and nothing followed."""

    what: str
    operator: str
    ends: float
    days: int
    """Of `WARN_DAYS`, the smallest it is within; 0: it has ended."""


def expiring(record: Record, at: float) -> list[Expiring]:
    """Papers and contracts that end within 60, 30 or 7 days, soonest first. Those another one follows are left out."""
    followed = {one.supersedes for one in record.documents if one.result != "pending"}
    ends = [
        (str(one.document), one.document.operator, one.ends)
        for one in record.held
        if one.ends != FOREVER and one.document.id not in followed and one.document.kind != "finding"
    ]
    ends += [
        (f"contract {row.contract} of trunk {row.id}", row.operator, row.contract_to)
        for row in record.snapshot.trunks
        if row.contract_to
    ]
    ends += [
        (f"range {row.id}", row.operator, row.valid_to) for row in record.snapshot.ranges if row.valid_to
    ]
    found = []
    for what, operator, end in sorted(ends, key=lambda item: item[2]):
        within = [days for days in WARN_DAYS if end - at <= days * DAY]
        if within:
            found.append(Expiring(what, operator, end, min(within) if end > at else 0))
    return found


def commitments(documents: tuple[Document, ...]) -> list[Document]:
    """Licences that stand on a free-trade zone's commitment: reports list them apart (RULES A49)."""
    return [one for one in documents if getattr(one.detail, "basis", "") == "ftz_commitment"]
