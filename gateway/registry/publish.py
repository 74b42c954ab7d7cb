"""A snapshot as workers get it: with what papers say worked out as times, and without the papers.

Per operator, trunk and tenant there are bars, each with its span. A number range may be one of a million: its bars
are a field of its own (`NumberRange.bars`), which most share as an empty one."""

from __future__ import annotations

from dataclasses import replace

from gateway.registry.issues import Record
from gateway.registry.model import Snapshot
from gateway.registry.papers_check import issues
from gateway.registry.standing import Bar, Standing, SubjectKind


def published(record: Record) -> Snapshot:
    """The record's snapshot with standings and ranges' bars filled in."""
    bars: dict[tuple[SubjectKind, str], list[Bar]] = {}
    ranges: dict[str, list[Bar]] = {}
    for issue in issues(record):
        if issue.level != "bar":
            continue
        if issue.kind == "range":
            ranges.setdefault(issue.subject, []).append(issue.bar)
        else:
            bars.setdefault((issue.kind, issue.subject), []).append(issue.bar)
    snapshot = record.snapshot
    standings = tuple(Standing(kind, subject, tuple(found)) for (kind, subject), found in sorted(bars.items()))
    if not ranges:
        return replace(snapshot, standings=standings)
    rows = tuple(
        replace(row, bars=tuple(ranges[row.id])) if row.id in ranges else row for row in snapshot.ranges
    )
    return replace(snapshot, standings=standings, ranges=rows)
