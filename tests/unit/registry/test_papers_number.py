"""Checks on the papers of numbers: present, in time, and of one voice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from gateway.registry.issues import Record
from gateway.registry.model import NumberRange, Snapshot
from gateway.registry.papers_check import activation
from gateway.registry.publish import published
from gateway.registry.registry import Registry
from gateway.registry.validate import validate
from tests.unit.registry.paper_example import (
    CARRIER,
    NOW,
    OPERATOR,
    OTHER_CODE,
    PAPERS,
    RANGE,
    TRUNK,
    altered,
    at,
    clauses,
    denials,
    document,
    found,
    record,
    without,
)


def test_a11_calling_out_takes_a_promise_against_violations() -> None:
    assert denials(record(papers=without("lawful"))).startswith("A11: calls out, and no promise letter")
    assert clauses(record(papers=without("lawful"), row=replace(RANGE, outbound=False))) == set()


@pytest.mark.parametrize("outbound", [False, True])
@pytest.mark.parametrize("inbound", [False, True])
def test_a12_a_range_is_used_in_the_directions_its_papers_state(outbound: bool, inbound: bool) -> None:
    flags = {"outbound": outbound, "inbound": inbound}
    papers = tuple(
        replace(one, detail=replace(one.detail, **flags))  # type: ignore[arg-type]
        if one.kind in ("certificate", "filing")
        else one
        for one in PAPERS
    )
    assert denials(record(papers=papers, row=replace(RANGE, outbound=outbound, inbound=inbound))) == ""
    said = denials(record(papers=papers, row=replace(RANGE, outbound=True, inbound=True)))
    assert ("outbound differs" in said, "inbound differs" in said) == (not outbound, not inbound)


def test_a13_a_filing_counts_from_its_day() -> None:
    late = record(papers=altered("filing", {"filed_on": "2020-12-02"}))
    assert denials(late, at("2020-12-01 23:59:59")) == "A13: filing filing (F-1) is dated 2020-12-02"
    assert denials(late, at("2020-12-02 00:00:00")) == ""
    assert denials(record(row=replace(RANGE, filing=""))).startswith("A13: names no filing")


def test_a14_calls_leave_by_filed_carriers_alone_and_for_filed_usage() -> None:
    registry = Registry(published(record()))
    row = registry.ranges.find("95013123")
    assert row is not None and [one.id for one in registry.route_outbound(row)] == ["carrier"]
    moved = record(trunks=(TRUNK, replace(CARRIER, carrier="Unicom")))
    assert Registry(published(moved)).route_outbound(row) == ()
    unstated = Registry(published(record(row=replace(RANGE, carriers=())))).ranges.find("95013123")
    assert unstated is not None and unstated.carriers == ("Telecom",)  # the filing's
    other = record(row=replace(RANGE, purposes=("return_visit",)))
    assert denials(other) == "A14: purpose return_visit is not in filing filing (F-1), which states consultation"


@pytest.mark.parametrize(
    ("filed", "now", "said"),
    [
        ("", "2020-10-15 23:59:59", False),
        ("", "2020-10-16 00:00:00", True),
        ("2020-10-15", "2020-10-16 00:00:00", False),
        ("2020-10-16", "2020-10-16 00:00:00", True),
        ("2020-09-24", "2020-10-16 00:00:00", True),  # a filing from before the approval is none of the change
    ],
)
def test_a15_a_changed_filing_is_due_within_ten_working_days(filed: str, now: str, said: bool) -> None:
    papers = tuple(
        replace(one, detail=replace(one.detail, filed_on=filed or "2020-08-01"))  # type: ignore[call-arg]
        if one.id == "filing"
        else one
        for one in altered("certificate", {"approved_on": "2020-09-25"})
    )
    notes = [one for one in found(record(papers=papers), at(now)) if one.clause == "A15"]
    assert bool(notes) is said
    overdue = said and filed < "2020-09-25"  # never made for this approval
    assert [one.level for one in notes] == (["late"] if overdue else ["note"] if said else [])
    assert ("A15" in denials(record(papers=papers), at(now))) is overdue, "the rule pack says what of it"
    if said:
        assert "due by 2020-10-15" in notes[0].text and "not on file" not in notes[0].text


def test_a15_a_year_without_holidays_on_file_is_said_so() -> None:
    (said,) = [
        one
        for one in found(record(papers=altered("certificate", {"approved_on": "2023-03-01"})), at("2023-04-01"))
        if one.clause == "A15"
    ]
    assert "holidays of that year are not on file" in said.text


FILING, CERTIFICATE, LICENCE = "filing filing (F-1)", "certificate certificate (C-1)", "licence licence (B2-1)"


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("licence", {"holder": "Other"}, f"holder differs: Other in {LICENCE}, Alpha in operator alpha"),
        ("certificate", {"holder": "Other"}, f"holder differs: Alpha in {FILING}, Other in {CERTIFICATE}"),
        ("filing", {"credit_code": OTHER_CODE}, f"credit code differs: {OTHER_CODE} in {FILING}"),
        ("filing", {"licence": "B2-9"}, f"licence differs: B2-9 in {FILING}, B2-1 in {LICENCE}"),
        ("filing", {"certificate": "C-9"}, f"certificate differs: C-9 in {FILING}, C-1 in range code"),
        ("certificate", {"last": "95013124"}, f"numbers differs: 95013123-95013123 in {FILING}, 95013123-95013124"),
        ("certificate", {"length": 5}, f"length differs: 5 in {CERTIFICATE}, 8 in range code"),
        ("filing", {"length": 5}, f"length differs: 5 in {FILING}, 8 in {CERTIFICATE}"),
        ("filing", {"outbound": False}, f"outbound differs: false in {FILING}, true in range code"),
        ("certificate", {"inbound": False}, f"inbound differs: true in {FILING}, false in {CERTIFICATE}"),
        ("filing", {"carriers": ("Unicom",)}, f"carrier differs: Unicom in {FILING}, Telecom in range code"),
        ("joint", {"carrier": "Unicom"}, "carrier differs: Unicom in agreement joint, Telecom in trunk cc-alpha"),
        ("filing", {"regions": ("Zhejiang",)}, f"region differs: Zhejiang in {FILING}, none in {CERTIFICATE}"),
        ("joint", {"holder": "Other"}, "holder differs: Other in agreement joint, Alpha in operator alpha"),
    ],
)
def test_a23_papers_that_contradict_each_other_are_named_both_with_both_values(
    name: str, changes: Mapping[str, object], words: str
) -> None:
    said = denials(record(papers=altered(name, changes)))
    assert f"A23: {words}" in said


def test_a23_regions_codes_and_dates() -> None:
    papers = tuple(
        replace(one, detail=replace(one.detail, regions=("Jiangsu",)))  # type: ignore[call-arg]
        if one.id in ("certificate", "filing")
        else replace(one, detail=replace(one.detail, regions=("Zhejiang",)))  # type: ignore[call-arg]
        if one.id == "licence"
        else one
        for one in PAPERS
    )
    assert f"region differs: Zhejiang in {LICENCE}, Jiangsu in {CERTIFICATE}" in denials(record(papers=papers))
    early = record(papers=altered("certificate", valid_from=at("2020-09-01")))
    assert f"{FILING} is dated 2020-08-01, before {CERTIFICATE} is valid" in denials(early)
    wrong = record(operator=replace(OPERATOR, credit_code="91330100MA00000010"))
    assert "its check digit should be F" in denials(wrong)


def test_b03_a_purpose_the_certificate_does_not_state_is_refused() -> None:
    checked = record(papers=altered("certificate", {"usage": ("return_visit",)}))
    assert denials(checked).startswith(f"B03: purpose consultation is not in {CERTIFICATE}")


def test_ordinary_numbers_need_no_papers_but_are_held_to_those_they_name() -> None:
    user = replace(RANGE, first="+8657112340000", last="+8657112349999", length=11, certificate="", filing="")
    assert found(record(row=user)) == []
    named = record(row=replace(user, certificate="C-9"))
    assert [(one.clause, one.level) for one in found(named)] == [("A12", "note")]
    block = {"first": "+8657112340000", "last": "+8657112345555"}
    wrong = document("c9", "certificate", {"holder": "Alpha", **block, "outbound": True}, reference="C-9")
    assert "A23" in clauses(record(row=replace(user, certificate="C-9"), papers=(*PAPERS, wrong)))


def said(**changes: object) -> list[str]:
    return validate(replace(record().snapshot, **changes))  # type: ignore[arg-type]


def test_a18_states_follow_each_other_and_take_effect_at_their_second() -> None:
    row = replace(RANGE, state="assigned", steps=((NOW, "filed"), (NOW + 10, "enabled"), (NOW + 20, "recalled")))
    assert said(ranges=(row,)) == []
    states = [row.state_at(NOW + offset) for offset in (-1, 0, 9.999, 10, 19.999, 20)]
    assert states == ["assigned", "filed", "filed", "enabled", "enabled", "recalled"]
    for steps, words in (
        (((NOW, "enabled"),), "after assigned comes filed, recalled"),
        (((NOW, "recalled"), (NOW + 1, "enabled")), "after recalled comes nothing"),
        (((NOW, "filed"), (NOW, "enabled")), "a later time"),
    ):
        assert words in said(ranges=(replace(RANGE, state="assigned", steps=steps),))[0]


def test_a19_the_length_is_the_certificates() -> None:
    assert "its numbers have 8 digits" in said(ranges=(replace(RANGE, length=5),))[0]


@pytest.mark.parametrize(("kind", "clause"), [("labour_only", "A47"), ("tech_only", "A48")])
def test_a47_a48_who_runs_no_system_owns_no_trunk_and_no_number(kind: str, clause: str) -> None:
    problems = said(operators=(replace(OPERATOR, operator_class=kind),))
    assert [clause in text for text in problems] == [True, True]
    assert validate(replace(Snapshot(1), operators=(replace(OPERATOR, operator_class=kind),)))[2:] == []


def test_b02_a_provincial_number_is_used_on_trunks_of_its_province() -> None:
    row = replace(RANGE, regions=("Zhejiang",))
    assert said(ranges=(row,), trunks=(replace(TRUNK, region="Zhejiang"), CARRIER)) == []
    (problem,) = said(ranges=(row,), trunks=(replace(TRUNK, region="Jiangsu"), CARRIER))
    assert "is connected in Jiangsu, the number may be used in Zhejiang only (RULES B02)" in problem


def scoped(regions: tuple[str, ...], region: str, row: NumberRange = RANGE) -> Record:
    """The certificate names regions, the trunk has one, and the range narrows nothing."""
    papers = tuple(
        replace(one, detail=replace(one.detail, regions=regions)) if one.kind in ("certificate", "filing") else one  # type: ignore[call-arg]
        for one in PAPERS
    )
    return record(papers=papers, trunk=replace(TRUNK, region=region), row=row)


def test_b02_a_certificates_regions_are_held_against_its_trunks() -> None:
    assert denials(scoped(("Zhejiang",), "Zhejiang")) == denials(scoped((), "Jiangsu")) == ""
    for region, shown in (("Jiangsu", "Jiangsu"), ("", "none stated")):
        said = denials(scoped(("Zhejiang", "Anhui"), region))
        assert said == f"B02: region differs: Zhejiang, Anhui in {CERTIFICATE}, {shown} in trunk cc-alpha"
    (issue,) = activation(scoped(("Zhejiang",), "Jiangsu"), "range", "code", NOW)
    assert str(issue).startswith("B02 range code: region differs: Zhejiang in")


def test_b02_a_provinces_short_code_has_a_certificate_that_names_the_province() -> None:
    block = {"first": "96789", "last": "96789", "length": 5}
    row = replace(RANGE, first="96789", last="96789", length=5)

    def said(regions: tuple[str, ...]) -> str:
        papers = tuple(
            replace(one, detail=replace(one.detail, **block)) if one.kind in ("certificate", "filing") else one  # type: ignore[arg-type]
            for one in altered("certificate", {"regions": regions})
        )
        checked = record(papers=papers, trunk=replace(TRUNK, region="Zhejiang"), row=row)
        return "; ".join(one.text for one in found(checked) if one.clause == "B02")

    assert said(()) == f"{CERTIFICATE} names no region, numbers of kind provincial_short are one province's"
    assert said(("Zhejiang",)) == ""
    assert "Anhui in" in said(("Anhui",))


def test_b02_a_certificate_that_lets_400_numbers_call_out_is_noted() -> None:
    row = replace(RANGE, first="+864001230000", last="+864001239999", length=10, outbound=False)
    checked = record(papers=altered("certificate", {"outbound": True}), row=row)
    (noted,) = [one for one in found(checked) if one.clause == "B02"]
    words = f"{CERTIFICATE} states outbound = true, numbers of kind shared_cost_inbound never call out"
    assert (noted.level, noted.text) == ("note", words)
