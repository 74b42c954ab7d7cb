"""A callee who declined is not called, consent or not."""

from __future__ import annotations

import pytest

from policies.base import STORE
from policies.refusal import CalleeRefused
from tests.unit.policies.example import outbound


def test_refusal() -> None:
    rule = CalleeRefused({})
    assert rule.judge(outbound()) is None
    assert rule.judge(outbound(refusals=("all",))) == "callee declined: all"
    assert rule.judge(outbound(refusals=("operator:alpha", "all"))) == "callee declined: operator:alpha"
    assert (rule.answer.status, rule.answer.phrase, rule.answer.cause) == (603, "Decline", 21)
    assert CalleeRefused.needs == STORE
    with pytest.raises(ValueError, match="has no parameters"):
        CalleeRefused({"x": 1})
