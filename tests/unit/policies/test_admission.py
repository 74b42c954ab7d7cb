"""Papers and restrictions as rules."""

from __future__ import annotations

import pytest

from policies.admission import OperatorAdmission
from policies.restricted import OperatorRestricted
from tests.unit.policies.example import outbound

CENTRE = {"operator_class": "call_centre"}
USER = "A25: a number of kind geo is an ordinary user's, not for call-centre business"


@pytest.mark.parametrize(
    ("params", "changes", "reason"),
    [
        ({}, {}, None),
        ({}, {"denials": ("A02: expired", "A09: none")}, "A02: expired; A09: none"),
        ({"ignored": ["A09"]}, {"denials": ("A02: expired", "A09: none")}, "A02: expired"),
        ({"ignored": ["A02", "A09"]}, {"denials": ("A02: expired", "A09: none")}, None),
        ({}, {"denials": ("A15: due", "A02: expired")}, "A02: expired"),
        ({}, {"denials": ("A15: due",)}, None),
        ({"late_filing": True}, {"denials": ("A15: due",)}, "A15: due"),
        ({"late_filing": True, "ignored": ["A15"]}, {"denials": ("A15: due",)}, None),
        ({}, CENTRE, USER),
        ({"user_numbers": True}, CENTRE, None),
        ({}, {"operator_class": "own_customers"}, None),
        ({}, {**CENTRE, "number_kind": "access_95_vas"}, None),
    ],
)
def test_a02_a25_admission(params: dict[str, object], changes: dict[str, object], reason: str | None) -> None:
    assert OperatorAdmission(params).judge(outbound(**changes)) == reason


def test_a32_restricted() -> None:
    assert OperatorRestricted({}).judge(outbound()) is None
    assert OperatorRestricted({}).judge(outbound(restrictions=("a", "b"))) == "a; b"


@pytest.mark.parametrize(
    ("params", "key"),
    [({"user_numbers": "yes"}, "user_numbers"), ({"ignore": []}, "ignore"), ({"ignored": 7}, "ignored")],
)
def test_bad_parameters(params: dict[str, object], key: str) -> None:
    with pytest.raises(ValueError, match=f"^{key}: "):
        OperatorAdmission(params)
