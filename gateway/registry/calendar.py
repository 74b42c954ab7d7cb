"""Working days: weekends, public holidays and the days made up for them, as a data file says (RULES A15)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date, timedelta

MAX_SPAN = 366
"""Days looked ahead: more working days than a year has are nobody's term."""
MAX_DAYS = 20_000
"""Days a calendar file may name."""


class CalendarError(ValueError):
    """A calendar file is wrong; the text names key, value and fix."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """`holidays` are free whatever day they are, `workdays` are worked though they are Saturdays or Sundays."""

    holidays: frozenset[date] = frozenset()
    workdays: frozenset[date] = frozenset()
    years: frozenset[int] = frozenset()
    """Years the file covers; in others only weekends are known."""

    def is_working(self, day: date) -> bool:
        """Is this a working day?"""
        return day in self.workdays or (day.weekday() < 5 and day not in self.holidays)

    def deadline(self, start: date, days: int) -> date:
        """The last of `days` working days, the day after `start` being the first that counts. ValueError beyond a
        year."""
        day = start
        for _ in range(MAX_SPAN):
            day += timedelta(days=1)
            if self.is_working(day):
                days -= 1
                if days <= 0:
                    return day
        raise ValueError(f"{days} working days more than {MAX_SPAN} days after {start} hold")

    def covers(self, first: date, last: date) -> bool:
        """Does the file know the holidays of all years in between?"""
        return all(year in self.years for year in range(first.year, last.year + 1))


def read_calendar(text: str, name: str) -> Calendar:
    """Read a calendar file: `[[holiday]]` tables with `from`, `to` and `work` (days made up). CalendarError."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CalendarError(f"{name}: {error}") from error
    holidays: set[date] = set()
    workdays: set[date] = set()
    for number, table in enumerate(document.get("holiday", []), 1):
        where = f"{name}: holiday {number}"
        first, last = _day(table, "from", where), _day(table, "to", where)
        if last < first or (last - first).days > MAX_SPAN:
            raise CalendarError(f"{where}.to: {last}: write a day not before `from`, within a year")
        holidays.update(first + timedelta(days=offset) for offset in range((last - first).days + 1))
        for day in table.get("work", []):
            if type(day) is not date:
                raise CalendarError(f"{where}.work: {day!r}: write dates, e.g. 2020-09-27")
            workdays.add(day)
        if len(holidays) + len(workdays) > MAX_DAYS:
            raise CalendarError(f"{where}: more than {MAX_DAYS} days: split the file")
    both = holidays & workdays
    if both:
        raise CalendarError(f"{name}: {min(both)}: is a holiday and made up for one: keep one of them")
    years = document.get("years", [])
    if not isinstance(years, list) or not all(type(year) is int for year in years):
        raise CalendarError(f"{name}: years: {years!r}: write a list of years")
    return Calendar(frozenset(holidays), frozenset(workdays), frozenset(years))


def _day(table: object, key: str, where: str) -> date:
    value = table.get(key) if isinstance(table, dict) else None
    if type(value) is not date:
        raise CalendarError(f"{where}.{key}: {value!r}: write a date, e.g. 2020-10-01")
    return value
