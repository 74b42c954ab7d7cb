"""Working days and the term of a changed filing (RULES A15)."""

from __future__ import annotations

from datetime import date

import pytest

from gateway.registry.calendar import CalendarError, read_calendar
from tests.unit.registry.paper_example import CALENDAR


def test_a15_the_ten_days_after_25_september_2020() -> None:
    assert CALENDAR.deadline(date(2020, 9, 25), 10) == date(2020, 10, 15)


@pytest.mark.parametrize(
    ("day", "working"),
    [
        (date(2020, 9, 26), False),
        (date(2020, 9, 27), True),
        (date(2020, 10, 1), False),
        (date(2020, 10, 8), False),
        (date(2020, 10, 9), True),
        (date(2020, 10, 10), True),
        (date(2020, 10, 11), False),
        (date(2026, 2, 16), False),
        (date(2026, 2, 14), True),
    ],
)
def test_working_days(day: date, working: bool) -> None:
    assert CALENDAR.is_working(day) is working


def test_years_on_file() -> None:
    assert CALENDAR.covers(date(2020, 9, 25), date(2020, 10, 15))
    assert not CALENDAR.covers(date(2020, 12, 25), date(2021, 1, 15))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x", "c.toml: "),
        ("[[holiday]]\nfrom = 2020-01-02\nto = 2020-01-01", "holiday 1.to: 2020-01-01: write a day not before"),
        ("[[holiday]]\nfrom = 2020-01-02", "holiday 1.to: None: write a date"),
        ("[[holiday]]\nfrom = 2020-01-01\nto = 2020-01-01\nwork = ['x']", "holiday 1.work: 'x': write dates"),
        ("[[holiday]]\nfrom = 2020-01-01\nto = 2020-01-01\nwork = [2020-01-01]", "2020-01-01: is a holiday and made"),
        ("years = ['x']", "years: ['x']: write a list of years"),
    ],
)
def test_a_bad_file_names_the_place(text: str, words: str) -> None:
    with pytest.raises(CalendarError) as refused:
        read_calendar(text, "c.toml")
    assert words in str(refused.value)
