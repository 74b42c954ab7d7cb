"""Each bad standing of the caller is refused by its own rule, and by no other of the family."""

from __future__ import annotations

import pytest

from policies.base import Rule
from policies.caller import CallerHidden, CallerMalformed, CallerMismatch, CallerMissing
from policies.facts import OUTBOUND
from tests.unit.policies.example import outbound

FAMILY: dict[str, type[Rule]] = {
    "hidden": CallerHidden,
    "missing": CallerMissing,
    "malformed": CallerMalformed,
    "mismatch": CallerMismatch,
}


@pytest.mark.parametrize("status", ["ok", *FAMILY])
def test_each_status_has_one_rule(status: str) -> None:
    facts = outbound(caller_status=status)
    refusing = [word for word, kind in FAMILY.items() if kind({}).judge(facts) is not None]
    assert refusing == ([status] if status in FAMILY else [])


@pytest.mark.parametrize(("status", "kind"), FAMILY.items())
def test_the_reason_names_the_detail(status: str, kind: type[Rule]) -> None:
    reason = kind({}).judge(outbound(caller_status=status, caller_detail="From / P-Asserted-Identity"))
    assert reason is not None
    assert reason.endswith(": From / P-Asserted-Identity")
    assert kind({}).judge(outbound(caller_status=status)) not in (None, "")


def test_answers() -> None:
    assert (CallerHidden.answer.status, CallerHidden.answer.phrase) == (433, "Anonymity Disallowed")
    assert {kind.answer.status for kind in (CallerMissing, CallerMalformed, CallerMismatch)} == {403}
    assert {kind.answer.cause for kind in FAMILY.values()} == {21}
    assert {kind.binds for kind in FAMILY.values()} == {(OUTBOUND,)}


@pytest.mark.parametrize("kind", FAMILY.values())
def test_no_parameters(kind: type[Rule]) -> None:
    with pytest.raises(ValueError, match="has no parameters"):
        kind({"x": 1})
