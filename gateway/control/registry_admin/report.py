"""The report on papers: what bars calls, what keeps from activation, what to note, what ends soon."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.control.importer.commit import clock
from gateway.control.record import load_record
from gateway.registry.issues import Issue, Record
from gateway.registry.papers import Document
from gateway.registry.papers_check import Expiring, commitments, expiring, issues
from gateway.registry.validate import validate

ORDER = {"bar": 0, "hold": 1, "late": 2, "note": 3}
MAX_ISSUES = 1_000
"""Enough to mend a registry by; one of a million ranges without papers is not listed whole."""
MAX_EXPIRING = 1_000


@dataclass(frozen=True, slots=True)
class Report:
    """The registry's papers at a time."""

    version: int
    at: float
    problems: list[str]
    """Of `registry.validate`: none, unless rules of this version are stricter than those it was stored under."""
    issues: list[Issue]
    """Those that hold at this time, those that bar calls first; at most MAX_ISSUES."""
    counts: dict[str, int]
    """How many there are of each level."""
    expiring: list[Expiring]
    commitments: list[Document]
    """Licences that stand on a free-trade zone's commitment (RULES A49)."""

    @property
    def bars(self) -> int:
        """How many issues refuse calls now."""
        return self.counts["bar"]

    @property
    def others(self) -> int:
        """How many issues refuse no calls."""
        return sum(self.counts.values()) - self.bars


async def check_report(connection: AsyncConnection, at: float = 0.0) -> Report:
    """The report as of a time (epoch seconds; 0: now)."""
    return report_of(await load_record(connection), at or await clock(connection))


def report_of(record: Record, at: float) -> Report:
    """The same on a record at hand."""
    held = [issue for issue in issues(record) if issue.holds(at)]
    held.sort(key=lambda issue: (ORDER[issue.level], issue.clause, issue.kind, issue.subject))
    return Report(
        record.snapshot.version,
        at,
        validate(record.snapshot),
        held[:MAX_ISSUES],
        {level: sum(issue.level == level for issue in held) for level in ORDER},
        expiring(record, at)[:MAX_EXPIRING],
        commitments(record.documents),
    )
