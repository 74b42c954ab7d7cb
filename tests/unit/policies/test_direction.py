"""The certificate's directions, and called numbers that nobody holds: in/out flags 11, 10, 01, 00 (RULES
A12)."""

from __future__ import annotations

import pytest

from policies.direction import CalleeUnknown, DirectionInbound, DirectionOutbound
from tests.unit.policies.example import AT, inbound, outbound


@pytest.mark.parametrize("out_flag", [True, False])
@pytest.mark.parametrize("in_flag", [True, False])
def test_the_four_combinations(in_flag: bool, out_flag: bool) -> None:
    flags = {"range_inbound": in_flag, "range_outbound": out_flag}
    assert (DirectionOutbound({}).judge(outbound(**flags)) is None) == out_flag
    assert (DirectionInbound({}).judge(inbound(**flags)) is None) == in_flag


@pytest.mark.parametrize("changes", [{"range_state": "recalled"}, {"range_state": "suspended"}, {"range_valid_to": AT}])
def test_a_number_out_of_force_receives_nothing(changes: dict[str, object]) -> None:
    assert DirectionInbound({}).judge(inbound(**changes)) is not None


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({}, False),
        ({"number_status": "unassigned"}, True),
        ({"number_status": "length"}, True),
        ({"callee_status": "malformed", "callee_detail": "letters"}, True),
        ({"callee_status": "mismatch"}, True),
    ],
)
def test_callee_unknown(changes: dict[str, object], refused: bool) -> None:
    assert (CalleeUnknown({}).judge(inbound(**changes)) is not None) == refused


def test_answers() -> None:
    assert (DirectionOutbound.answer.status, DirectionOutbound.answer.cause) == (403, 21)
    assert {(kind.answer.status, kind.answer.cause) for kind in (CalleeUnknown, DirectionInbound)} == {(404, 1)}


@pytest.mark.parametrize("kind", [DirectionOutbound, CalleeUnknown, DirectionInbound])
def test_no_parameters(kind: type[DirectionOutbound]) -> None:
    with pytest.raises(ValueError, match="has no parameters"):
        kind({"x": 1})
