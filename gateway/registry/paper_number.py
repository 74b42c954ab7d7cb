"""Checks on number ranges: certificate, filing, promise before calling out, term of filing (RULES A11-A15, A19, B03).

Access codes (95, 96, 400 …) need a certificate and a filing. An ordinary fixed or mobile number has neither (whether a
call centre may use it is A25, on the path of the call); but a paper that is named for it is held against it."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.registry.issues import SERVICE_OF, Issue, Level, Record, shown
from gateway.registry.model import NumberRange
from gateway.registry.numbering import NumberingPlan
from gateway.registry.paper_agree import disagreements
from gateway.registry.paper_scope import scope_issues
from gateway.registry.papers import Certificate, Filing, Held, Promise, day_of, day_start, gaps

FILING_DAYS = 10
"""Working days for a changed filing (RULES A15)."""
USER_KINDS = ("geo", "mobile", "mobile_mvno")


def range_issues(record: Record, row: NumberRange, plan: NumberingPlan) -> Iterator[Issue]:
    """Everything that papers say against the outbound use of a range."""
    operator = record.operators.get(row.operator)
    if operator is None:
        return
    certificates = _named(record.of(row.operator, "certificate"), row.certificate)
    filings = _named(record.of(row.operator, "filing"), row.filing)
    needed = operator.operator_class in SERVICE_OF and not _is_user_number(record, row, plan)
    yield from _presence(row, "A12", "certificate", row.certificate, certificates, needed)
    yield from _presence(row, "A13", "filing", row.filing, filings, needed)
    for one in certificates:
        if isinstance(one.document.detail, Certificate):
            yield from _usage(row, "B03", one, one.document.detail.usage)
    for one in filings:
        filing = one.document.detail
        if isinstance(filing, Filing):
            yield from _usage(row, "A14", one, filing.usage)
            since = day_start(filing.filed_on)
            if since > one.begins:
                yield _issue(row, "A13", "bar", f"{one.document} is dated {filing.filed_on}", 0.0, since)
    if row.outbound and needed:
        yield from _promise(record, row)
    for text in disagreements(record, row, certificates, filings):
        yield _issue(row, "A23", "bar", text)
    yield from scope_issues(record, row, certificates, plan)


def _issue(row: NumberRange, clause: str, level: Level, text: str, since: float = 0.0, until: float = 0.0) -> Issue:
    return Issue(clause, level, "range", row.id, text, since, until)


def _named(held: list[Held], reference: str) -> list[Held]:
    """The documents a range names, by number or by id; all that one names later replace it under its number."""
    return [one for one in held if reference and reference in (one.document.reference, one.document.id)]


def _is_user_number(record: Record, row: NumberRange, plan: NumberingPlan) -> bool:
    """An ordinary fixed or mobile number? Asked once for all ranges that the plan tells apart by nothing."""
    key = (row.first[: record.telling], len(row.first))
    known = record.user_numbers.get(key)
    if known is None:
        known = record.user_numbers[key] = _reads_as_user(row, plan)
    return known


def _reads_as_user(row: NumberRange, plan: NumberingPlan) -> bool:
    number = plan.read(row.first.removeprefix("+").encode(), row.first[:1] == "+", plan.country, "")
    return number is not None and number.kind in USER_KINDS


def _presence(
    row: NumberRange, clause: str, kind: str, reference: str, held: list[Held], needed: bool
) -> Iterator[Issue]:
    """Is the paper there, and when is it in force?"""
    if not held:
        text = f"{kind} {reference} is not on record (A24)" if reference else f"names no {kind} (A24)"
        if needed or reference:
            yield _issue(row, clause, "bar" if needed else "note", text)
        return
    for since, until in gaps(held):
        names = shown(str(one.document) for one in held)
        yield _issue(row, clause, "bar", f"{names} is not in force", since, until)


def _usage(row: NumberRange, clause: str, one: Held, usage: tuple[str, ...]) -> Iterator[Issue]:
    """Purposes a range is used for beyond what a paper states."""
    other = [name for name in row.purposes if usage and name not in usage]
    if other and row.outbound:
        text = f"purpose {shown(other)} is not in {one.document}, which states {shown(usage)}"
        yield _issue(row, clause, "bar", text)


def _promise(record: Record, row: NumberRange) -> Iterator[Issue]:
    """Calling out needs a letter that promises no violation (RULES A11)."""
    for one in record.of(row.operator, "promise"):
        if isinstance(one.document.detail, Promise) and one.document.detail.subject == "no_violation":
            return
    yield _issue(row, "A11", "bar", "calls out, and no promise letter against violations is on record")


def filing_deadlines(record: Record, operator: str) -> Iterator[Issue]:
    """Approvals whose changed filing is late, or was: ten working days after the day of approval (RULES A15)."""
    for one in record.of(operator, "certificate"):
        certificate = one.document.detail
        if not isinstance(certificate, Certificate) or not certificate.approved_on:
            continue
        approved = day_of(day_start(certificate.approved_on))
        deadline = record.calendar.deadline(approved, FILING_DAYS)
        sure = "" if record.calendar.covers(approved, deadline) else " (holidays of that year are not on file)"
        text = f"{one.document} was approved on {approved}: the changed filing is due by {deadline}{sure}"
        alert = day_start(deadline.isoformat(), 1)
        filed = sorted(
            filing.filed_on
            for other in record.of(operator, "filing")
            if isinstance(filing := other.document.detail, Filing)
            and filing.certificate in (one.document.reference, one.document.id)
            and filing.filed_on >= certificate.approved_on
        )
        if not filed:
            yield Issue("A15", "late", "operator", operator, text, alert)
        elif filed[0] > deadline.isoformat():
            yield Issue("A15", "note", "operator", operator, f"{text}, and was made on {filed[0]}", alert)
