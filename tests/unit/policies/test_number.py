"""Assigned, owned, this trunk's, of exact length, in force."""

from __future__ import annotations

import pytest

from policies.base import Rule
from policies.number import (
    NumberForeign,
    NumberInactive,
    NumberLength,
    NumberTrunk,
    NumberUnassigned,
)
from tests.unit.policies.example import AT, outbound

FAMILY: tuple[type[Rule], ...] = (NumberUnassigned, NumberForeign, NumberTrunk, NumberLength, NumberInactive)

NO_RANGE = {
    "range_id": "",
    "range_operator": "",
    "range_trunks": (),
    "range_state": "",
    "range_outbound": False,
    "range_inbound": False,
    "range_purposes": (),
}


def refusing(**changes: object) -> set[str]:
    facts = outbound(**changes)
    return {kind.id for kind in FAMILY if kind({}).judge(facts) is not None}


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({}, set()),
        ({"range_operator": "beta"}, {"number-foreign"}),
        ({"range_operator": "", "trunk_operator": ""}, {"number-foreign"}),
        ({"range_trunks": ("cc-alpha-2",)}, {"number-trunk"}),
        ({"trunk_state": "suspended"}, {"number-trunk"}),
        ({"number_status": "length"}, {"number-length"}),
        ({"range_state": "assigned"}, {"number-inactive"}),
        ({"range_state": "filed"}, {"number-inactive"}),
        ({"range_state": "suspended"}, {"number-inactive"}),
        ({"range_state": "recalled"}, {"number-inactive"}),
        ({"range_valid_from": AT + 1}, {"number-inactive"}),
        ({"range_valid_from": AT}, set()),
        ({"range_valid_to": AT}, {"number-inactive"}),
        ({"range_valid_to": AT + 1}, set()),
    ],
)
def test_each_fault_has_its_rule(changes: dict[str, object], rules: set[str]) -> None:
    assert refusing(**changes) == rules


def test_a_number_in_no_range_passes_no_rule_that_looks_at_ranges() -> None:
    found = refusing(number_status="unassigned", **NO_RANGE)
    assert found == {"number-unassigned", "number-foreign", "number-trunk", "number-inactive"}
    assert "number-unassigned" in refusing(number_status="anything else", **NO_RANGE)


def test_reasons_name_the_parties() -> None:
    reason = NumberForeign({}).judge(outbound(range_operator="beta"))
    assert reason == "caller number belongs to beta, not to alpha"


def test_answers() -> None:
    assert {(kind.answer.status, kind.answer.cause) for kind in FAMILY} == {(403, 21)}


@pytest.mark.parametrize("kind", FAMILY)
def test_no_parameters(kind: type[Rule]) -> None:
    with pytest.raises(ValueError, match="has no parameters"):
        kind({"x": 1})
