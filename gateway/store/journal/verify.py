"""Proves that a journal is whole: every line follows on the one before, every segment on the one before.

What no chain can show is that its newest records were cut off: the head beside the segments does, and for whoever may
have altered that too, a head kept elsewhere (`anchor`), such as the shipper's checkpoint or one printed before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.store.journal.gaps import read_gaps
from gateway.store.journal.head import read_head
from gateway.store.journal.lines import (
    GENESIS,
    chain_next,
    list_segments,
    read_header,
    segment_path,
    split_line,
)

MAX_PROBLEMS: Final = 100
"""Named in a report; the rest is counted. One altered byte gives one, so a hundred is a ruin."""


@dataclass(slots=True)
class VerifyReport:
    """What was found in one journal."""

    journal: str
    segments: int = 0
    records: int = 0
    first: int = 0
    """Number of the first record there; above 1 where shipped segments were dropped."""
    last: int = 0
    head: str = GENESIS.decode()
    """Chain after the last record. Kept elsewhere, it proves later that nothing up to here was cut off."""
    torn_bytes: int = 0
    """Half a record at the very end: cut off at the next start."""
    problems: list[str] = field(default_factory=list)
    more_problems: int = 0

    @property
    def ok(self) -> bool:
        """Whole, to the last byte."""
        return not self.problems and not self.torn_bytes

    def add(self, problem: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)
        else:
            self.more_problems += 1


def verify(directory: Path, anchor: tuple[int, str] | None = None) -> VerifyReport:
    """Check the journal in `directory`. `anchor`: number and chain of a record, known from elsewhere.

    Raises OSError. About 150,000 records a second.
    """
    report = VerifyReport(directory.name)
    head = read_head(directory)  # first of all: what is written meanwhile lies behind it
    anchors = {head.seq: head.chain} if head is not None else {}
    if anchor is not None:
        anchors[anchor[0]] = anchor[1]
    segments = list_segments(directory)
    chain = b""
    expected = segments[0] if segments else 0
    for segment in segments:
        if segment != expected:
            report.add(f"segments {expected} to {segment - 1} are missing")
        expected = segment + 1
        content = segment_path(directory, segment).read_bytes()
        lines = content.split(b"\n")
        rest = lines.pop()
        name = segment_path(directory, segment).name
        chain = _enter_segment(report, name, segment, lines[0] if lines else b"", chain)
        for line in lines[1:]:
            report.records += 1
            report.last += 1
            parts = split_line(line)
            if parts is None:
                report.add(f"{name}: record {report.last} is no record any more")
                continue
            if parts[1] != chain_next(chain, parts[0]):
                report.add(f"{name}: record {report.last} was altered, or something before it is missing")
            chain = parts[1]
            if report.last in anchors and chain.decode("ascii", "replace") != anchors[report.last]:
                report.add(f"{name}: record {report.last} is not the one known from elsewhere")
        if rest and segment == segments[-1]:
            report.torn_bytes = len(rest)
        elif rest:
            report.add(f"{name} ends in half a record")
    report.segments = len(segments)
    report.head = (chain or GENESIS).decode("ascii", "replace")
    for number in sorted(anchors):
        if number > report.last:
            report.add(f"record {number} was here once, the last one now is {report.last}")
    gaps = [gap for gap in read_gaps(directory) if gap.last >= max(gap.first, report.first)]
    report.problems[:0] = [
        f"records {gap.first} to {gap.last} are missing, and were set aside: {gap.reason}"
        for gap in gaps[-MAX_PROBLEMS:]
    ]  # first: damage that is known, before its details
    return report


def _enter_segment(report: VerifyReport, name: str, segment: int, line: bytes, chain: bytes) -> bytes:
    """Check the header; the chain to go on with."""
    header = read_header(line)
    if header is None:
        report.add(f"{name}: the header was altered")
        return chain or GENESIS
    if header.journal != report.journal or header.segment != segment:
        report.add(f"{name}: is segment {header.segment} of journal {header.journal}")
    previous = header.previous.encode()
    if report.segments == 0 and not chain:
        report.first = header.first
        if header.missing_from:
            report.add(f"{name}: records {header.missing_from} to {header.first - 1} are missing before it")
        if header.first == 1 and previous != GENESIS:
            report.add(f"{name}: the chain does not begin at its beginning")
    elif header.first != report.last + 1:
        report.add(f"{name}: records {report.last + 1} to {header.first - 1} are missing before it")
    elif previous != chain:
        report.add(f"{name}: does not follow on record {report.last}")
    report.last = header.first - 1
    return previous
