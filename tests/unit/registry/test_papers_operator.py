"""Checks on an operator's papers, by clause, to the second."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.registry.papers_check import activation, commitments, expiring
from gateway.registry.standing import Tenant
from tests.unit.registry.paper_example import (
    CODE,
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

END = at("2025-07-01")
ABLE_LATER = {"probed_on": "2025-06-01"}


def test_papers_in_order_bar_nothing_and_keep_nobody_out() -> None:
    assert found(record()) == []
    assert denials(record()) == ""
    assert [activation(record(), kind, name, NOW) for kind, name in (("operator", "alpha"), ("trunk", "cc-alpha"))] == [
        [],
        [],
    ]


def test_a02_a_licence_passes_a_second_before_it_expires_and_not_a_second_after() -> None:
    checked = record(papers=altered("able", ABLE_LATER), trunk=replace(TRUNK, contract_to=0.0))
    assert denials(checked, END - 1) == ""
    assert denials(checked, END + 1) == "A02: licence licence (B2-1) expired 2025-07-01 00:00:00+08:00"
    assert denials(checked, at("2020-06-30 23:59:59")).startswith("A02: licence licence (B2-1) is not valid before")


def test_a02_the_licence_names_the_service_and_covers_the_trunks_region() -> None:
    assert clauses(record(papers=altered("licence", {"service": "message"})), level="bar") == {"A02"}
    regional = altered("licence", {"regions": ("Zhejiang",)})
    trunks = [replace(TRUNK, region=region) for region in ("Jiangsu", "Zhejiang")]
    assert "does not cover its region Jiangsu" in denials(record(papers=regional, trunk=trunks[0]))
    assert denials(record(papers=regional, trunk=trunks[1])) == ""


@pytest.mark.parametrize(
    ("days", "said"), [(61, []), (60, [60]), (31, [60]), (30, [30]), (8, [30]), (7, [7]), (-1, [0])]
)
def test_a02_the_report_warns_60_30_and_7_days_before(days: int, said: list[int]) -> None:
    licence = altered("licence", valid_to=NOW + days * 86_400)
    warned = [one.days for one in expiring(record(papers=licence), NOW) if one.what == "licence licence (B2-1)"]
    assert warned == said


def test_a02_a_licence_that_another_one_follows_is_not_warned_of() -> None:
    first = altered("licence", valid_to=NOW + 86_400)
    fresh = replace(PAPERS[0], id="next", supersedes="licence", valid_from=NOW + 86_400, valid_to=0.0)
    assert expiring(record(papers=(*first, fresh)), NOW) == []
    assert denials(record(papers=(*first, fresh)), NOW + 2 * 86_400) == ""


def test_a03_a_missing_inspection_is_reported_and_bars_nothing() -> None:
    checked = record(papers=without("seen"))
    assert [(one.clause, one.level) for one in found(checked)] == [("A03", "note")]
    assert denials(checked) == ""


def test_a04_false_material_keeps_from_activation_for_a_year_to_the_day() -> None:
    lie = document("lie", "finding", {"category": "false_material", "decided_on": "2020-10-10"})
    checked = record(papers=(*PAPERS, lie), trunk=replace(TRUNK, contract_to=0.0))
    said = activation(checked, "operator", "alpha", at("2021-10-09 12:00:00"))
    assert any("no new application before 2021-10-10" in one.text for one in said if one.clause == "A04")
    assert "A04" not in {one.clause for one in activation(checked, "operator", "alpha", at("2021-10-10 00:00:00"))}


def test_a05_without_a_trunk_or_a_number_no_operator_is_activated() -> None:
    assert {one.text for one in activation(record(ranges=()), "operator", "alpha", NOW) if one.clause == "A05"} == {
        "has no number range"
    }
    assert {one.text for one in activation(record(trunks=()), "operator", "alpha", NOW) if one.clause == "A05"} == {
        "has no trunk"
    }


def test_a08_a_plan_of_commercial_calls_gets_no_access() -> None:
    checked = record(papers=altered("plan", {"category": "commercial_outbound"}))
    assert "A08" in {one.clause for one in activation(checked, "operator", "alpha", NOW)}
    assert denials(checked).startswith("A08: ")


def test_a09_no_promise_no_calls_and_it_counts_from_its_day() -> None:
    assert denials(record(papers=without("calm"))) == "A09: no promise against harassing calls in force"
    late = record(papers=altered("calm", {"signed_on": "2020-12-02"}))
    assert denials(late, at("2020-12-01 23:59:59")).startswith("A09")
    assert denials(late, at("2020-12-02 00:00:00")) == ""


def test_a20_a_punishment_is_told_and_bars_no_calls() -> None:
    punished = document("p", "finding", {"category": "number_violation", "decided_on": "2020-10-10"})
    assert [(one.clause, one.level) for one in found(record(papers=(*PAPERS, punished)))] == [("A20", "note")]


def test_a21_every_missing_item_is_named() -> None:
    bare = record(papers=(), trunk=replace(TRUNK, agreement="", carrier="", circuit="", contract=""))
    named = {one.clause for one in activation(bare, "trunk", "cc-alpha", NOW)}
    assert named == {"A02", "A09", "A11", "A12", "A13", "A21", "A29", "A41"}
    texts = [one.text for one in activation(bare, "trunk", "cc-alpha", NOW)]
    assert "no business plan on record" in texts and "names no cooperation agreement" in texts


@pytest.mark.parametrize(
    ("papers", "clause"),
    [(without("licence"), "A02"), (without("certificate"), "A12"), (without("filing"), "A13")],
)
def test_a24_without_licence_certificate_or_filing_there_is_no_access(papers: tuple[object, ...], clause: str) -> None:
    said = denials(record(papers=papers))  # type: ignore[arg-type]
    assert said.startswith(clause) and "(A24)" in said


def test_a25_a_plan_to_use_user_numbers_bars_calls() -> None:
    assert denials(record(papers=altered("plan", {"user_numbers": True}))).startswith("A25: ")


@pytest.mark.parametrize(("category", "clause"), [("number_length", "A26"), ("marketing", "A27"), ("violator", "B15")])
def test_a22_a26_a27_b15_a_decision_bars_calls_and_one_that_supersedes_it_clears_them(
    category: str, clause: str
) -> None:
    decided = document("d", "finding", {"category": category, "decided_on": "2020-10-10"})
    assert denials(record(papers=(*PAPERS, decided))).startswith(f"{clause}: ")
    assert denials(record(papers=(*PAPERS, decided)), at("2020-10-09 23:59:59")) == ""
    cleared = replace(decided, id="e", supersedes="d", result="withdrawn", valid_from=NOW)
    assert denials(record(papers=(*PAPERS, decided, cleared)), NOW - 1) != ""
    assert denials(record(papers=(*PAPERS, decided, cleared)), NOW) == ""


def test_a29_capability_is_verified_and_ages() -> None:
    assert [one.level for one in found(record(papers=without("able")))] == ["hold"]
    stopped = record(papers=altered("able", {"recorder": False}))
    assert denials(stopped) == "A29: capability able says no to recorder"
    checked = record()
    assert denials(checked, at("2021-01-30 23:59:59")) == ""  # 90 days after 1 November
    assert "older than 90 days" in denials(checked, at("2021-01-31 00:00:00"))


def test_a31_rules_newer_than_the_agreement_are_noted() -> None:
    (said,) = found(record(pack="example@2"))
    assert (said.clause, said.level) == ("A31", "note")
    assert said.text == "rules in force are example@2, agreement joint contains example@1"


def test_a41_a_trunk_has_carrier_circuit_contract_and_calls_within_its_dates() -> None:
    (lacking,) = found(record(trunk=replace(TRUNK, circuit="", contract="")))
    assert (lacking.clause, lacking.level, lacking.text) == ("A41", "hold", "circuit, contract not stated")
    short = record(trunk=replace(TRUNK, contract_to=NOW))
    assert denials(short, NOW - 1) == ""
    assert denials(short, NOW) == "A41: contract K-1 ended 2020-12-01 12:00:00+08:00"
    assert denials(record(trunk=replace(TRUNK, contract_from=NOW)), NOW - 1).startswith("A41: contract K-1 begins")


def test_a45_a_seat_rental_needs_the_same_and_each_tenant_declares_itself() -> None:
    rental = replace(OPERATOR, operator_class="seat_rental")
    tenants = (Tenant("shop", "alpha", "Shop"), Tenant("bank", "alpha", "Bank"))
    declared = document(
        "said", "declaration", {"holder": "Shop", "signed_on": "2020-08-01"}, tenant="shop",
    )  # fmt: skip
    checked = record(operator=rental, tenants=tenants, papers=(*PAPERS, declared))
    assert denials(checked, tenant="shop") == ""
    assert denials(checked, tenant="bank") == "A45: no declaration of the tenant in force"
    assert denials(record(operator=rental, papers=without("licence"))).startswith("A02")
    stopped = record(operator=rental, tenants=(replace(tenants[0], state="suspended"),), papers=(*PAPERS, declared))
    assert denials(stopped, tenant="shop") == "A45: tenant is suspended"
    assert denials(stopped) == ""  # the others go on


def test_a46_own_customers_need_no_licence_until_they_serve_others() -> None:
    own = replace(OPERATOR, operator_class="own_customers")
    bare = record(operator=own, papers=(), row=replace(RANGE, certificate="", filing=""))
    assert denials(bare) == "" and found(bare) == []
    serving = record(operator=own, papers=(), tenants=(Tenant("x", "alpha", "X"),), row=replace(RANGE, certificate=""))
    assert "A46" in {one.clause for one in activation(serving, "operator", "alpha", NOW)}


def test_a49_a_commitment_is_treated_as_a_licence_until_it_is_withdrawn() -> None:
    papers = altered(
        "licence", {"basis": "ftz_commitment", "zone": "Zhejiang", "commitment_on": "2020-07-01"}, valid_to=0.0
    )
    checked = record(papers=papers)
    assert denials(checked) == ""
    assert [one.id for one in commitments(checked.documents)] == ["licence"]
    assert [(one.clause, one.level) for one in found(checked)] == [("A49", "note")]
    withdrawn = replace(papers[0], id="withdrawal", supersedes="licence", result="withdrawn", valid_from=NOW)
    assert denials(record(papers=(*papers, withdrawn)), NOW - 1) == ""
    assert "withdrawn or replaced" in denials(record(papers=(*papers, withdrawn)), NOW)
    vague = record(papers=altered("licence", {"basis": "ftz_commitment"}))
    assert [(one.clause, one.level) for one in found(vague)] == [("A49", "hold")]


def test_b15_a_violator_is_known_by_its_code_whatever_its_name() -> None:
    listed = document(
        "v", "finding", {"category": "violator", "credit_code": OTHER_CODE, "decided_on": "2020-10-10"}, operator=""
    )
    assert denials(record(papers=(*PAPERS, listed))) == ""
    tenants = (Tenant("renamed", "alpha", "Quite Another", OTHER_CODE),)
    said = document("s", "declaration", {"holder": "Quite Another", "signed_on": "2020-08-01"}, tenant="renamed")
    checked = record(tenants=tenants, papers=(*PAPERS, listed, said))
    assert denials(checked, tenant="renamed").startswith("B15: is listed as a violator")
    assert denials(checked) == ""
    named = {"category": "violator", "credit_code": CODE, "decided_on": "2020-10-10"}
    own = document("w", "finding", named, operator="")
    assert denials(record(papers=(*PAPERS, own))).startswith("B15: ")
