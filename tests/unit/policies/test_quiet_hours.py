"""Quiet hours, to the second: windows, holidays, wishes, soft and hard (RULES A39)."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from policies.facts import Facts
from policies.quiet_hours import QuietHours
from tests.unit.policies.example import outbound

SHANGHAI = ZoneInfo("Asia/Shanghai")


def at(text: str, **changes: object) -> Facts:
    """A call at a time of the callee's."""
    local = datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)
    minute = local.weekday() * 1440 + local.hour * 60 + local.minute
    return outbound(at=local.timestamp(), subscriber_minute=minute, subscriber_day=local.toordinal(), **changes)


@pytest.mark.parametrize(
    ("when", "refused", "retry_after"),
    [
        ("2026-06-01T07:59:59", True, 1),
        ("2026-06-01T07:59:58.5", True, 2),
        ("2026-06-01T08:00:00", False, 0),
        ("2026-06-01T20:59:59.999", False, 0),
        ("2026-06-01T21:00:00", True, 11 * 3600),
        ("2026-06-01T21:00:01", True, 11 * 3600 - 1),
    ],
)
def test_a39_the_edges_of_the_window_to_the_second(when: str, refused: bool, retry_after: int) -> None:
    rule, facts = QuietHours({}), at(when)
    assert (rule.judge(facts) == "rest time of the callee") is refused
    if refused:
        assert rule.retry_after(facts) == retry_after
    assert (rule.answer.status, rule.answer.cause) == (603, 21)


def test_the_wait_is_capped_and_unknown_where_no_hour_comes() -> None:
    assert QuietHours({"max_retry_after": 600}).retry_after(at("2026-06-01T21:00:00")) == 600
    weekdays = QuietHours({"hours": ["mon-fri 10:00-20:00"]})
    assert weekdays.retry_after(at("2026-06-06T12:00:00")) == 86_400, "Monday is further than a day"
    assert QuietHours({"hours": []}).retry_after(at("2026-06-06T12:00:00")) == 0


def test_holidays_have_hours_of_their_own() -> None:
    rule = QuietHours({"holidays": [date(2026, 6, 1)], "holiday_hours": ["10:00-12:00"]})
    assert rule.judge(at("2026-06-01T09:00:00")) and rule.judge(at("2026-06-01T12:00:00"))
    assert rule.judge(at("2026-06-01T10:00:00")) is None
    assert rule.judge(at("2026-06-02T09:00:00")) is None


def test_the_callees_own_times_come_first() -> None:
    night = at("2026-06-01T22:00:00", refusals=("all @12:00-14:00",))
    assert QuietHours({}).judge(night) is None
    assert QuietHours({"wish_first": False}).judge(night)
    assert QuietHours({}).judge(at("2026-06-01T22:00:00", refusals=("operator:beta",))), "no time in it"


def test_consent_lifts_them_where_the_pack_says_so() -> None:
    night = "2026-06-01T22:00:00"
    assert QuietHours({}).judge(at(night, consent="live"))
    assert QuietHours({"consent_lifts": True}).judge(at(night, consent="live")) is None
    assert QuietHours({"consent_lifts": True}).judge(at(night, consent="none"))


def test_some_purposes_only() -> None:
    rule = QuietHours({"purposes": ["marketing"]})
    assert rule.judge(at("2026-06-01T22:00:00")) is None
    assert rule.judge(at("2026-06-01T22:00:00", purpose="marketing"))


def test_a_callee_whose_time_nobody_knows() -> None:
    unknown = outbound(subscriber_minute=-1)
    rule = QuietHours({})
    assert rule.judge(unknown) == "local time of the callee unknown"
    assert rule.retry_after(unknown) == 0
    assert QuietHours({"unknown": "pass"}).judge(unknown) is None


def test_soft_hours_mark() -> None:
    night = at("2026-06-01T22:00:00")
    assert QuietHours({"soft": True}).softens(night) and not QuietHours({}).softens(night)


@pytest.mark.parametrize(
    "params",
    [
        *({"hour": []}, {"hours": ["8-9"]}, {"hours": "08:00-21:00"}, {"holidays": ["2026-01-01"]}, {"holidays": 1}),
        *({"soft": 1}, {"unknown": "maybe"}, {"max_retry_after": -1}, {"max_retry_after": 86_401}),
        *({"max_retry_after": True}, {"purposes": [""]}),
    ],
)
def test_bad_parameters(params: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(params))):
        QuietHours(params)
