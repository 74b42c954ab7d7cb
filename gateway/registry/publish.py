"""A snapshot as workers get it: with what papers say worked out as times, and without the papers.

Per operator, trunk and tenant there are bars, each with its span. A number range may be one of a million: its bars
are a field of its own (`NumberRange.bars`). They depend on the range, its operator, that operator's papers and the
regions of its trunks alone: a change elsewhere leaves them as they are, and ranges can be worked out page by page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from gateway.registry.issues import Record
from gateway.registry.model import NumberRange, Snapshot
from gateway.registry.paper_number import range_issues
from gateway.registry.papers import Filing
from gateway.registry.papers_check import plan_of, subject_issues
from gateway.registry.standing import Bar, Standing, SubjectKind

CALL_LEVELS = ("bar", "late")
"""Levels of issues that workers are told: what refuses calls, and what does where the rule pack says so."""


def published(record: Record) -> Snapshot:
    """The record's snapshot with standings and ranges' bars filled in."""
    rows = RangePapers(record).barred(record.snapshot.ranges)
    return replace(record.snapshot, standings=standings(record), ranges=tuple(rows))


def standings(record: Record) -> tuple[Standing, ...]:
    """The bars of operators, trunks and tenants."""
    bars: dict[tuple[SubjectKind, str], list[Bar]] = {}
    for issue in subject_issues(record):
        if issue.level in CALL_LEVELS:
            bars.setdefault((issue.kind, issue.subject), []).append(issue.bar)
    return tuple(Standing(kind, subject, tuple(found)) for (kind, subject), found in sorted(bars.items()))


class RangePapers:
    """What papers say of ranges, whichever of them are at hand."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._plan = plan_of(record.snapshot)
        self._filed = _filed_carriers(record)

    def barred(self, rows: Iterable[NumberRange]) -> list[NumberRange]:
        """Ranges with their bars, and with the carriers their filings name where they state none (RULES A14)."""
        found = []
        for row in rows:
            issues = range_issues(self._record, row, self._plan)
            bars = tuple([issue.bar for issue in issues if issue.level in CALL_LEVELS])
            carriers = row.carriers or self._filed.get((row.operator, row.filing), ())
            found.append(replace(row, bars=bars, carriers=carriers) if bars or carriers != row.carriers else row)
        return found


def _filed_carriers(record: Record) -> dict[tuple[str, str], tuple[str, ...]]:
    """Carriers that filings name, by operator and filing."""
    found = {}
    for one in sorted(record.held, key=lambda item: item.begins):
        filing = one.document.detail
        if isinstance(filing, Filing) and filing.carriers:
            for name in (one.document.id, one.document.reference):
                if name:
                    found[one.document.operator, name] = filing.carriers
    return found
