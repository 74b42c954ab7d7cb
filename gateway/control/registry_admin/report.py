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

ORDER = {"bar": 0, "hold": 1, "note": 2}


@dataclass(frozen=True, slots=True)
class Report:
    """The registry's papers at a time."""

    version: int
    at: float
    problems: list[str]
    """Of `registry.validate`: none, unless rules of this version are stricter than those it was stored under."""
    issues: list[Issue]
    """Those that hold at this time, those that bar calls first."""
    expiring: list[Expiring]
    commitments: list[Document]
    """Licences that stand on a free-trade zone's commitment (RULES A49)."""

    @property
    def bars(self) -> int:
        """How many issues refuse calls now."""
        return sum(issue.level == "bar" for issue in self.issues)


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
        held,
        expiring(record, at),
        commitments(record.documents),
    )
