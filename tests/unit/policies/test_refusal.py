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
    noon, night = 12 * 60, 23 * 60
    asleep = ("all @21:00-09:00", "operator:alpha @mon 11:00-13:00")
    assert rule.judge(outbound(refusals=asleep, subscriber_minute=night)) == "callee declined: all @21:00-09:00"
    assert rule.judge(outbound(refusals=asleep, subscriber_minute=noon)) == f"callee declined: {asleep[1]}"
    assert rule.judge(outbound(refusals=asleep, subscriber_minute=24 * 60 + noon)) is None
    assert rule.judge(outbound(refusals=asleep)) is not None, "nobody knows the time there"
    assert rule.judge(outbound(refusals=("all @whenever",), subscriber_minute=noon)) is not None
    assert (rule.answer.status, rule.answer.phrase, rule.answer.cause) == (603, "Decline", 21)
    assert CalleeRefused.needs == STORE
    with pytest.raises(ValueError, match="has no parameters"):
        CalleeRefused({"x": 1})
