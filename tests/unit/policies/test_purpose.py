"""Purposes: filed for the range, allowed by the pack, marketing never (RULES A07)."""

from __future__ import annotations

import pytest

from policies.purpose import Purpose
from tests.unit.policies.example import outbound


@pytest.mark.parametrize(
    ("params", "changes", "reason"),
    [
        ({}, {}, None),
        ({}, {"purpose": "return_visit"}, None),
        ({}, {"purpose": ""}, "no purpose"),
        ({}, {"purpose": "notification"}, "purpose notification not filed for range alpha-hz"),
        ({}, {"purpose": "marketing", "range_purposes": ("marketing",)}, "purpose marketing not allowed"),
        ({"forbidden": []}, {"purpose": "marketing", "range_purposes": ("marketing",)}, None),
        ({"forbidden": ["consultation"]}, {}, "purpose consultation not allowed"),
        ({"allowed": ["return_visit"]}, {}, "purpose consultation not allowed"),
        ({"allowed": ["consultation"]}, {}, None),
        ({}, {"purpose": "", "purpose_detail": "2 X-Purpose headers"}, "no purpose: 2 X-Purpose headers"),
        (
            {"barred": {"call_centre": ["consultation"]}},
            {"operator_class": "call_centre"},
            "purpose consultation not allowed for operator class call_centre",
        ),
        ({"barred": {"call_centre": ["consultation"]}}, {"operator_class": "own_customers"}, None),
    ],
)
def test_purpose(params: dict[str, object], changes: dict[str, object], reason: str | None) -> None:
    assert Purpose(params).judge(outbound(**changes)) == reason


@pytest.mark.parametrize(
    "params", [{"allow": []}, {"allowed": "x"}, {"forbidden": [1]}, {"forbidden": [""]}, {"barred": []}]
)
def test_bad_parameters(params: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(params))):
        Purpose(params)


def test_answer() -> None:
    assert (Purpose.answer.status, Purpose.answer.cause) == (403, 21)
