"""Rules on what is counted: the limit-th passes, the next does not; a window opens at its millisecond."""

from __future__ import annotations

import pytest

from policies.base import Rule
from policies.cooldown import CoolDown, result_of
from policies.facts import Counted, Facts
from policies.frequency import Frequency
from policies.limits import Limit, opens_in_s, reached
from policies.restricted import OperatorRestricted
from policies.trigger import ReturnVisit

DAY = 86_400


def facts(counted: Counted | None = None, purpose: str = "consultation") -> Facts:
    return Facts("outbound", 0.0, "cc-alpha", purpose=purpose, counted=counted)


@pytest.mark.parametrize(
    ("ages_ms", "opens"),
    [((), 0), ((1, 2), 0), ((1, 2, 299_999), 1), ((1, 2, 300_000), 0), ((0, 0, 0), 300), ((5, 5, 5, 400_000), 300)],
)
def test_a_limit(ages_ms: tuple[int, ...], opens: int) -> None:
    limit = Limit(3, 300)
    assert opens_in_s([limit], ages_ms) == opens
    assert (reached([limit], ages_ms) is limit) == (opens > 0)


def test_several_limits_wait_for_the_longest() -> None:
    rule = Frequency(
        {"callee": [{"count": 3, "seconds": 300}, {"count": 5, "seconds": DAY}],
         "operator": [{"count": 2, "seconds": 30 * DAY}]}
    )  # fmt: skip
    busy = Counted(callee_ages_ms=(1_000, 2_000, 3_000), operator_ages_ms=(1_000, 86_400_500))
    assert rule.judge(facts(busy)) == "callee called 3 in 300 s by all callers"
    assert rule.retry_after(facts(busy)) == 30 * DAY - DAY, "29 days and 999.5 s, rounded up to the second"
    assert rule.judge(facts(Counted(operator_ages_ms=(1, 2)))) == f"callee called 2 in {30 * DAY} s by this operator"
    assert rule.judge(facts(Counted(callee_ages_ms=(1, 2)))) is None
    assert rule.judge(facts()) == "attempts not read"
    assert rule.retry_after(facts()) == 0
    assert Frequency({}).judge(facts()) is None
    marketing = Frequency({"callee": [{"count": 1, "seconds": 1}], "purposes": ["marketing"]})
    assert marketing.judge(facts(Counted((0,)))) is None
    assert marketing.judge(facts(Counted((0,)), "marketing"))


def test_silence() -> None:
    rule = CoolDown({"declined_s": 60 * DAY, "busy_s": 300})
    assert rule.judge(facts(Counted(result_ages_ms=(60 * DAY * 1000 - 1, -1, 5)))) == (
        f"declined by this callee {60 * DAY - 1} s ago, silence for {60 * DAY} s"
    )
    assert rule.judge(facts(Counted(result_ages_ms=(60 * DAY * 1000, 300_000, 0)))) is None
    assert rule.retry_after(facts(Counted(result_ages_ms=(-1, 299_001, 0)))) == 1
    assert rule.judge(facts()) == "earlier results not read"
    assert CoolDown({}).judge(facts()) is None


@pytest.mark.parametrize(
    ("outcome", "status", "result"),
    [
        ("failed", 603, "declined"), ("failed", 607, "declined"), ("failed", 486, "busy"), ("failed", 600, "busy"),
        ("failed", 480, "unanswered"), ("failed", 408, "unanswered"), ("timeout", 408, "unanswered"),
        ("cancelled", 487, "unanswered"), ("failed", 404, ""), ("answered", 200, ""), ("lost", 0, ""),
    ],
)  # fmt: skip
def test_results(outcome: str, status: int, result: str) -> None:
    assert result_of(outcome, status) == result


def test_a_return_visit_needs_a_trigger_in_its_window() -> None:
    rule = ReturnVisit({"within_s": 60})
    assert rule.judge(facts(Counted())) is None, "of another purpose"
    assert rule.judge(facts(Counted(), "return_visit")) == "no trigger"
    assert rule.judge(facts(Counted(trigger_age_ms=60_000), "return_visit")) is None
    assert rule.judge(facts(Counted(trigger_age_ms=60_001), "return_visit")) == "last trigger 60 s ago, window 60 s"
    assert rule.judge(facts(None, "return_visit")) == "trigger not read"


@pytest.mark.parametrize(
    ("rule", "params", "words"),
    [
        (Frequency, {"callee": {"count": 1}}, "callee: .*write a list of at most 8"),
        (Frequency, {"callee": [{"count": 0, "seconds": 1}]}, "write { count = 1-100"),
        (Frequency, {"callee": [{"count": 101, "seconds": 1}]}, "write { count = 1-100"),
        (Frequency, {"operator": [{"count": True, "seconds": 1}]}, "operator: "),
        (Frequency, {"operator": [{"count": 1, "seconds": 1, "x": 1}]}, "operator: "),
        (Frequency, {"callees": []}, "callees: .*use one of callee, operator, purposes"),
        (CoolDown, {"busy_s": -1}, "busy_s: -1: write whole seconds"),
        (ReturnVisit, {"inbound": "seen"}, "inbound: 'seen': write one of answered, attempted, none"),
        (OperatorRestricted, {"violations": ["consent-missing"]}, "give both"),
        (OperatorRestricted, {"trunk": [{"count": 1, "seconds": 1}]}, "give both"),
    ],
)
def test_bad_parameters(rule: type[Rule], params: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        rule(params)
