"""Do the papers of one number agree? Each check names both papers, the field, and both values (RULES A12, A19, A23)."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.registry.credit_code import credit_code_problem
from gateway.registry.issues import Record, shown
from gateway.registry.model import NumberRange, Operator
from gateway.registry.papers import Agreement, Certificate, Filing, Held, Licence, day_start


def disagreements(
    record: Record, row: NumberRange, certificates: list[Held], filings: list[Held]
) -> Iterator[str]:
    """Where certificate, filing and registry row of one range say different things. Papers whose times do not meet
    are not compared: the later one replaced the earlier."""
    for one in certificates:
        certificate = one.document.detail
        if isinstance(certificate, Certificate):
            yield from _block(str(one.document), certificate, row)
            yield from _regions(record, row, one, certificate)
    for one in filings:
        filing = one.document.detail
        if not isinstance(filing, Filing):
            continue
        yield from _block(str(one.document), filing, row)
        yield from _pair(f"{one.document}", f"range {row.id}", "carrier", filing.carriers, row.carriers)
        if filing.certificate != row.certificate:
            yield _differ(str(one.document), f"range {row.id}", "certificate", filing.certificate, row.certificate)
        for other in certificates:
            if isinstance(other.document.detail, Certificate) and _meet(one, other):
                yield from _two(one, filing, other, other.document.detail)
        yield from _licence(record, row, one, filing)


def operator_disagreements(record: Record, operator: Operator) -> Iterator[str]:
    """Where papers name another holder or credit code than the operator (RULES A23)."""
    mine = f"operator {operator.id}"
    if operator.credit_code:
        problem = credit_code_problem(operator.credit_code)
        if problem:
            yield f"{mine} credit code {operator.credit_code}: {problem}"
    for kind in ("licence", "certificate", "filing", "agreement"):
        for one in record.of(operator.id, kind):
            detail = one.document.detail
            if not isinstance(detail, Licence | Certificate | Filing | Agreement):
                continue
            if detail.holder and detail.holder != operator.name:
                yield _differ(str(one.document), mine, "holder", detail.holder, operator.name)
            if detail.credit_code and detail.credit_code != operator.credit_code:
                yield _differ(str(one.document), mine, "credit code", detail.credit_code, operator.credit_code)


def _block(name: str, paper: Certificate | Filing, row: NumberRange) -> Iterator[str]:
    """Numbers, length and directions of a paper against the range's. A range may be part of a block."""
    mine = f"range {row.id}"
    within = len(paper.first) == len(row.first) and paper.first <= row.first and row.last <= paper.last
    if not within:
        yield _differ(name, mine, "numbers", f"{paper.first}-{paper.last}", f"{row.first}-{row.last}")
    for stated, whose in ((row.length, mine), (digits_of(row.first), f"{mine} first")):
        if paper.length and stated and paper.length != stated:
            yield _differ(name, whose, "length", str(paper.length), str(stated))
            break
    # The narrower holds: a range may leave out what its papers allow, never the reverse.
    for field, allowed, used in (
        ("outbound", paper.outbound, row.outbound),
        ("inbound", paper.inbound, row.inbound),
    ):
        if used and not allowed:
            yield _differ(name, mine, field, str(allowed).lower(), str(used).lower())


def _two(one: Held, filing: Filing, other: Held, certificate: Certificate) -> Iterator[str]:
    """A filing against the certificate it was made for."""
    here, there = str(one.document), str(other.document)
    for field, mine, theirs in (
        ("holder", filing.holder, certificate.holder),
        ("credit code", filing.credit_code, certificate.credit_code),
        ("numbers", f"{filing.first}-{filing.last}", f"{certificate.first}-{certificate.last}"),
        ("length", str(filing.length or ""), str(certificate.length or "")),
        ("outbound", str(filing.outbound).lower(), str(certificate.outbound).lower()),
        ("inbound", str(filing.inbound).lower(), str(certificate.inbound).lower()),
        ("region", shown(filing.regions), shown(certificate.regions)),
    ):
        if mine != theirs and mine and theirs:
            yield _differ(here, there, field, mine, theirs)
    if other.document.valid_from and day_start(filing.filed_on, 1) <= other.document.valid_from:
        yield f"{here} is dated {filing.filed_on}, before {there} is valid"


def _licence(record: Record, row: NumberRange, one: Held, filing: Filing) -> Iterator[str]:
    """The licence a filing names against the licences on record."""
    licences = record.of(row.operator, "licence")
    if not filing.licence or not licences:
        return
    named = [other for other in licences if filing.licence in (other.document.reference, other.document.id)]
    if not named:
        latest = max(licences, key=lambda other: other.begins)
        number = latest.document.reference or latest.document.id
        yield _differ(str(one.document), str(latest.document), "licence", filing.licence, number)
    for other in named:
        licence = other.document.detail
        if isinstance(licence, Licence) and licence.holder != filing.holder:
            yield _differ(str(one.document), str(other.document), "holder", filing.holder, licence.holder)


def _regions(record: Record, row: NumberRange, one: Held, certificate: Certificate) -> Iterator[str]:
    """A certificate for somewhere the licence or the range does not name."""
    yield from _pair(str(one.document), f"range {row.id}", "region", certificate.regions, row.regions)
    for other in record.of(row.operator, "licence"):
        licence = other.document.detail
        if isinstance(licence, Licence) and _meet(one, other):
            yield from _pair(str(other.document), str(one.document), "region", licence.regions, certificate.regions)


def _pair(wide: str, narrow: str, field: str, allowed: tuple[str, ...], used: tuple[str, ...]) -> Iterator[str]:
    """`used` must lie within `allowed`, where that names any."""
    if allowed and any(name not in allowed for name in used):
        yield _differ(wide, narrow, field, shown(allowed), shown(used))


def _differ(one: str, other: str, field: str, mine: str, theirs: str) -> str:
    return f"{field} differs: {mine or 'none'} in {one}, {theirs or 'none'} in {other}"


def _meet(one: Held, other: Held) -> bool:
    return one.begins < other.ends and other.begins < one.ends


def digits_of(canonical: str) -> int:
    """How many digits a number has as its certificate counts them: without the country code."""
    return len(canonical.removeprefix("+86")) if canonical[:3] == "+86" else len(canonical.removeprefix("+"))
