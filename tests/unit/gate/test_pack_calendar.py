"""Calendars in packs: the days of a file are written into the text, once, and read from there."""

from __future__ import annotations

from datetime import date

import pytest

from gateway.gate.pack import PackError
from gateway.gate.pack_calendar import MAX_CALENDARS, with_calendars
from gateway.gate.pack_read import load_pack
from gateway.registry.calendar import CalendarError
from tests.unit.gate.test_pack import make
from tests.unit.policies.test_quiet_hours import at

FILE = "years = [2026]\n[[holiday]]\nfrom = 2026-06-01\nto = 2026-06-02\nwork = [2026-06-06]\n"
RULE = '[[rule]]\nid = "quiet-hours"\n[rule.params]\ncalendar = "cn"\n'
INSIDE = '[[calendar]]\nid = "cn"\nyears = [2026]\nholidays = [2026-06-01, 2026-06-02]\n'


def pack(extra: str) -> str:
    return make(extra, but="quiet-hours")


def test_the_days_are_written_into_the_text_once() -> None:
    text = with_calendars(pack(RULE), {"cn": FILE}.get)
    assert text == f"{pack(RULE).rstrip()}\n\n{INSIDE}"
    assert with_calendars(text, {}.get) == text, "nothing is asked for twice"
    rule = next(bound.rule for bound in load_pack(text, "p.toml").rules if bound.id == "quiet-hours")
    assert rule.judge(at("2026-06-01T12:00:00")) and rule.judge(at("2026-06-03T12:00:00")) is None


def test_days_of_the_rule_itself_count_too() -> None:
    text = pack(RULE + "holidays = [2026-06-10]\n" + INSIDE)
    rule = next(bound.rule for bound in load_pack(text, "p.toml").rules if bound.id == "quiet-hours")
    assert rule.judge(at("2026-06-10T12:00:00")) and rule.judge(at("2026-06-02T12:00:00"))


@pytest.mark.parametrize("text", ["not toml", 'rule = 3\n[[calendar]]\nid = "x"', pack("")])
def test_what_names_no_calendar_stays(text: str) -> None:
    assert with_calendars(text, {}.get) == text


def test_a_wrong_file_is_told() -> None:
    with pytest.raises(CalendarError, match=r"cn: holiday 1\.from"):
        with_calendars(pack(RULE), {"cn": "[[holiday]]\n"}.get)


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (RULE, "rule quiet-hours.params.calendar: 'cn': name a file of config/calendars"),
        (RULE + 'holidays = "x"\n' + INSIDE, "holidays: 'x': write a list of dates"),
        (RULE + INSIDE + INSIDE, "calendar.id: 'cn': write one name for each"),
        (RULE + '[[calendar]]\nid = "cn"\nholidays = ["2026-01-01"]\n', "calendar cn.holidays: write a list of dates"),
        (RULE + INSIDE + "days = []\n", "calendar cn.days: unknown key"),
        (RULE + "".join(INSIDE.replace("cn", f"c{i}") for i in range(MAX_CALENDARS + 1)), "at most 16"),
    ],
)
def test_errors(extra: str, said: str) -> None:
    with pytest.raises(PackError) as caught:
        load_pack(pack(extra), "p.toml")
    assert said in str(caught.value)


def test_only_quiet_hours_have_holidays() -> None:
    text = make(f'[[rule]]\nid = "purpose"\n[rule.params]\ncalendar = "cn"\n{INSIDE}', but="purpose")
    with pytest.raises(PackError, match=r"rule purpose.params.holidays: \[datetime.date"):
        load_pack(text, "p.toml")


def test_a_calendar_is_a_date_list() -> None:
    text = with_calendars(pack(RULE), {"cn": FILE}.get)
    assert date(2026, 6, 2).isoformat() in text
