"""Decisions against somebody: false material, number violations, marketing, violators (RULES A04, A20, A26, A27, B15).

A decision names an operator here, or anybody by credit code: it meets every operator and tenant of that code, whatever
they call themselves now."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.registry.issues import Issue, Level, Record
from gateway.registry.papers import Finding, Held, day_start, year_after

LEVELS: dict[str, tuple[str, Level, str]] = {
    "false_material": ("A04", "hold", "gave false material"),
    "number_violation": ("A20", "note", "was punished for a violation of number rules, and gets no new numbers"),
    "number_length": ("A26", "bar", "changed the length of numbers"),
    "marketing": ("A27", "bar", "provides marketing calls"),
    "violator": ("B15", "bar", "is listed as a violator"),
}
"""Category to clause, level and words."""
NO_NEW_NUMBERS = ("number_violation", "violator")
NO_NEW_TRUNKS = ("violator",)


def finding_issues(record: Record) -> Iterator[Issue]:
    """What decisions say against operators and tenants."""
    for one, finding in _findings(record):
        clause, level, words = LEVELS[finding.category]
        since, until = span(one, finding)
        for kind, subject in met_by(record, one, finding):
            text = f"{words} ({one.document}, decided {finding.decided_on})"
            if clause == "A04":
                text += f": no new application before {_last_day(finding)}"
            if kind == "operator":
                yield Issue(clause, level, "operator", subject, text, since, until)
            elif level == "bar":
                yield Issue(clause, level, "tenant", subject, text, since, until)


def span(one: Held, finding: Finding) -> tuple[float, float]:
    """From when to when a decision holds."""
    last = _last_day(finding)
    ends = min(one.ends, day_start(last, 0 if finding.category == "false_material" else 1)) if last else one.ends
    return max(one.begins, day_start(finding.decided_on)), 0.0 if ends == float("inf") else ends


def _last_day(finding: Finding) -> str:
    """Of false material: the first day of a new application, a year later where the decision names none."""
    if finding.category == "false_material" and not finding.until:
        return year_after(finding.decided_on)
    return finding.until


def met_by(record: Record, one: Held, finding: Finding) -> Iterator[tuple[str, str]]:
    """Operators and tenants it is about: the one it names, and all of the same credit code."""
    named = record.operators.get(one.document.operator)
    codes = {code for code in (finding.credit_code, named.credit_code if named else "") if code}
    for operator in record.snapshot.operators:
        if operator is named or operator.credit_code in codes:
            yield "operator", operator.id
    for tenant in record.snapshot.tenants:
        if tenant.credit_code in codes:
            yield "tenant", tenant.id


def barred_from(record: Record, operator: str, categories: tuple[str, ...], at: float) -> list[str]:
    """Why an operator gets no new numbers or trunks at this time (RULES A20, B15)."""
    found = []
    for one, finding in _findings(record):
        since, until = span(one, finding)
        if finding.category not in categories or at < since or (until and at >= until):
            continue
        if ("operator", operator) in met_by(record, one, finding):
            clause, _, words = LEVELS[finding.category]
            found.append(f"{clause}: operator {operator} {words} ({one.document}, decided {finding.decided_on})")
    return found


def _findings(record: Record) -> Iterator[tuple[Held, Finding]]:
    for one in record.held:
        if isinstance(one.document.detail, Finding):
            yield one, one.document.detail
