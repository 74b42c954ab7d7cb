"""Hours of the week, as they are written and when they count."""

from __future__ import annotations

import pytest

from policies.band import DAY, UNKNOWN_MINUTE, WEEK, read_band

MON, TUE, FRI, SAT, SUN = 0, DAY, 4 * DAY, 5 * DAY, 6 * DAY


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("21:00-09:00", "21:00-09:00"),
        ("Mon-Fri 12:00-14:00", "mon,tue,wed,thu,fri 12:00-14:00"),
        ("sun,SAT  00:00-24:00", "sat,sun 00:00-24:00"),
        ("fri-mon 08:00-00:00", "mon,fri,sat,sun 08:00-24:00"),
        ("mon-sun 01:02-03:04", "01:02-03:04"),
    ],
)
def test_what_is_written_has_one_form(written: str, stored: str) -> None:
    band = read_band(written)
    assert band is not None
    assert str(band) == stored
    assert read_band(stored) == band


@pytest.mark.parametrize(
    "written",
    ["", "9:00-10:00", "09:00", "09:00-09:00", "24:00-09:00", "09:00-24:01", "09:60-10:00", "mo 09:00-10:00",
     "mon- 09:00-10:00", "mon 09:00-10:00 x", "٠٩:00-10:00", "-09:00-10:00", "mon 09:00–10:00"],
)  # fmt: skip
def test_what_is_none(written: str) -> None:
    assert read_band(written) is None


@pytest.mark.parametrize(
    ("written", "minute", "counts"),
    [
        ("12:00-14:00", MON + 12 * 60, True),
        ("12:00-14:00", MON + 14 * 60 - 1, True),
        ("12:00-14:00", MON + 14 * 60, False),
        ("21:00-09:00", TUE + 23 * 60, True),
        ("21:00-09:00", TUE + 8 * 60, True),
        ("21:00-09:00", TUE + 9 * 60, False),
        ("fri 22:00-06:00", SAT + 5 * 60, True),
        ("fri 22:00-06:00", FRI + 5 * 60, False),
        ("sun 22:00-06:00", MON + 5 * 60, True),
        ("sat,sun 00:00-24:00", SUN + DAY - 1, True),
        ("sat,sun 00:00-24:00", MON, False),
        ("12:00-14:00", UNKNOWN_MINUTE, True),
    ],
)
def test_when_it_counts(written: str, minute: int, counts: bool) -> None:
    band = read_band(written)
    assert band is not None
    assert band.covers(minute) is counts


def test_all_of_the_week_and_what_is_left_of_it() -> None:
    night, day = read_band("21:00-09:00"), read_band("09:00-21:00")
    assert night is not None and day is not None
    assert all(night.covers(minute) != day.covers(minute) for minute in range(WEEK))
