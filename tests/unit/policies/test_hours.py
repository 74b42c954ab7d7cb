"""Hours of the week with gaps and holidays, and how long until the next."""

from __future__ import annotations

from datetime import date

import pytest

from policies.band import DAY, UNKNOWN_MINUTE
from policies.hours import MAX_BANDS, Hours, read_bands

FRANCE = read_bands(("mon-fri 10:00-13:00", "mon-fri 14:00-20:00"), "hours")
FRIDAY = date(2026, 5, 8).toordinal()  # a holiday in France
HOURS = Hours(FRANCE, (), frozenset({FRIDAY}))


def minute(day: int, clock: str) -> int:
    return day * DAY + int(clock[:2]) * 60 + int(clock[3:])


@pytest.mark.parametrize(
    ("day", "clock", "allowed", "wait"),
    [
        (0, "09:59", False, 1),
        (0, "10:00", True, 240),
        (0, "12:59", True, 61),
        (0, "13:00", False, 60),
        (0, "14:00", True, 20 * 60),
        (0, "19:59", True, 14 * 60 + 1),
        (0, "20:00", False, 14 * 60),
        (5, "12:00", False, 2 * DAY - 120),  # Saturday: Monday at ten
    ],
)
def test_bands_with_a_gap(day: int, clock: str, allowed: bool, wait: int) -> None:
    monday = date(2026, 6, 1).toordinal()
    assert HOURS.allow(minute(day, clock), monday + day) is allowed
    assert HOURS.wait(minute(day, clock), monday + day) == wait


def test_a_holiday_has_its_own_bands() -> None:
    assert not HOURS.allow(minute(4, "11:00"), FRIDAY)
    assert HOURS.wait(minute(4, "11:00"), FRIDAY) == 3 * DAY - 60, "Friday is none: Monday at ten"
    assert HOURS.wait(minute(3, "20:00"), FRIDAY - 1) == 4 * DAY - 600
    late = Hours(FRANCE, read_bands(("12:00-13:00",), "holiday_hours"), frozenset({FRIDAY}))
    assert late.allow(minute(4, "12:00"), FRIDAY) and not late.allow(minute(4, "11:59"), FRIDAY)
    assert late.wait(minute(4, "11:00"), FRIDAY) == 60


def test_a_band_over_midnight_opens_at_midnight_behind_a_holiday() -> None:
    night = Hours(read_bands(("20:00-02:00",), "hours"), (), frozenset({FRIDAY}))
    assert not night.allow(minute(4, "01:00"), FRIDAY), "Friday is none, though Thursday's band runs into it"
    assert night.wait(minute(4, "23:00"), FRIDAY) == 60, "Friday's band runs into Saturday, which is an ordinary day"


def test_unknown_time_and_no_hours_at_all() -> None:
    assert not HOURS.allow(UNKNOWN_MINUTE, 0) and HOURS.wait(UNKNOWN_MINUTE, 0) == 0
    assert Hours(()).wait(0, FRIDAY) == 0


@pytest.mark.parametrize("written", [("25:00-26:00",), ("10:00",), ("10:00-11:00",) * (MAX_BANDS + 1)])
def test_bad_bands(written: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="hours: "):
        read_bands(written, "hours")
