"""A snapshot as workers get it: with what papers say worked out as times, and without the papers.

Per operator, trunk and tenant there are bars, each with its span. A number range may be one of a million: its bars
are a field of its own (`NumberRange.bars`), which most share as an empty one."""

from __future__ import annotations

from dataclasses import replace

from gateway.registry.issues import Record
from gateway.registry.model import Snapshot
from gateway.registry.papers import Filing
from gateway.registry.papers_check import issues
from gateway.registry.standing import Bar, Standing, SubjectKind


def published(record: Record) -> Snapshot:
    """The record's snapshot with standings and ranges' bars filled in."""
    bars: dict[tuple[SubjectKind, str], list[Bar]] = {}
    ranges: dict[str, list[Bar]] = {}
    for issue in issues(record):
        if issue.level not in ("bar", "late"):
            continue
        if issue.kind == "range":
            ranges.setdefault(issue.subject, []).append(issue.bar)
        else:
            bars.setdefault((issue.kind, issue.subject), []).append(issue.bar)
    snapshot = record.snapshot
    standings = tuple(Standing(kind, subject, tuple(found)) for (kind, subject), found in sorted(bars.items()))
    filed = _filed_carriers(record)
    if not ranges and not filed:
        return replace(snapshot, standings=standings)
    rows = tuple(
        replace(
            row,
            bars=tuple(ranges.get(row.id, ())),
            carriers=row.carriers or filed.get((row.operator, row.filing), ()),
        )
        if row.id in ranges or (not row.carriers and (row.operator, row.filing) in filed)
        else row
        for row in snapshot.ranges
    )
    return replace(snapshot, standings=standings, ranges=rows)


def _filed_carriers(record: Record) -> dict[tuple[str, str], tuple[str, ...]]:
    """Carriers that filings name, by operator and filing: for ranges that state none themselves (RULES A14)."""
    found = {}
    for one in sorted(record.held, key=lambda item: item.begins):
        filing = one.document.detail
        if isinstance(filing, Filing) and filing.carriers:
            for name in (one.document.id, one.document.reference):
                if name:
                    found[one.document.operator, name] = filing.carriers
    return found
