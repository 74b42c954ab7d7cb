"""Plan files: rows, and errors that name line, column, value and fix."""

from __future__ import annotations

import pytest

from gateway.registry.model import PlanEntry
from gateway.registry.numbering import NumberingPlan
from gateway.registry.plan_csv import COLUMNS, PlanError, emergency_codes, load_plan_csv
from tests.unit.registry import example

HEADER = ",".join(COLUMNS) + "\n"


def test_rows() -> None:
    text = (
        HEADER
        + '571,geo,11,11,owner,"Hangzhou, Zhejiang|x; sub_len=8; sub_first=2-8"\r\n110,emergency,3,3,no,police\n\n'
    )
    assert load_plan_csv(text) == (
        PlanEntry("571", "geo", 11, 11, "owner", "Hangzhou, Zhejiang", "2345678"),
        PlanEntry("110", "emergency", 3, 3, "no", "", ""),
    )


def test_the_plan_of_china() -> None:
    assert len(example.PLAN) == 445  # 444 and the example's own block
    assert sum(entry.kind == "geo" for entry in example.PLAN) == 322
    assert emergency_codes(example.PLAN) == ("110", "112", "119", "120", "122", "12395")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("1,geo,3,3,owner", ("line 2", "5 columns")),
        ("x,geo,3,3,owner,", ("line 2", "prefix", "'x'")),
        ("１,geo,3,3,owner,", ("line 2", "prefix")),
        ("1,,3,3,owner,", ("line 2", "kind")),
        ("1,geo,a,3,owner,", ("line 2", "nsn_min_len", "'a'")),
        ("1,geo,4,3,owner,", ("line 2", "4, 3")),
        ("1234,geo,3,5,owner,", ("line 2", "3, 5")),
        ("1,geo,3,99,owner,", ("line 2", "99")),
        ("1,geo,3,3,maybe,", ("line 2", "outbound_allowed_as_caller", "'maybe'")),
        ("1,geo,3,3,owner,x; sub_first=8-2", ("line 2", "sub_first", "'8-2'")),
        ("1,geo,3,3,owner,x; sub_first=28", ("line 2", "sub_first")),
        ("1,geo,3,3,owner,x; zone=", ("line 2", "zone", "''")),
        ("1,geo,3,3,owner,x; zone=../etc", ("line 2", "zone", "'../etc'")),
        ("1,mobile,3,3,owner,x; zone=Asia/Shanghai", ("line 2", "zone", "geographic row")),
        ("1,geo,3,3,owner,x; zone=Asia/Shanghai\n2,geo,3,3,owner,x", ("zone", "x has another one before")),
    ],
)
def test_errors(row: str, words: tuple[str, ...]) -> None:
    with pytest.raises(PlanError) as caught:
        load_plan_csv(HEADER + row + "\n")
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize("text", ["", "prefix,kind\n1,geo\n"])
def test_header(text: str) -> None:
    with pytest.raises(PlanError, match="line 1: header"):
        load_plan_csv(text)


def test_a_region_may_have_a_zone_of_its_own() -> None:
    rows = "303,geo,10,10,owner,Denver; zone=America/Denver\n212,geo,10,10,owner,New York\n"
    plan = NumberingPlan(load_plan_csv(HEADER + rows), (), "1", "America/New_York")
    zones = []
    for digits in (b"13035550100", b"12125550100", b"442079460000"):
        number = plan.read(digits, True, "1", "")
        assert number is not None
        zones.append(plan.zone_of(number))
    assert zones == ["America/Denver", "America/New_York", ""]
