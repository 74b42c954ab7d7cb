"""Time bands: hours of the week, in the callee's own time, in which a refusal counts.

Written `21:00-09:00`, `mon-fri 12:00-14:00`, `sat,sun 00:00-24:00`. A band that ends before it begins runs over
midnight, and its weekday is that of its beginning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY: Final = 24 * 60
WEEK: Final = 7 * DAY
UNKNOWN_MINUTE: Final = -1
"""Nobody knows the callee's time: every band counts."""
FIX: Final = "write a band such as 21:00-09:00, mon-fri 12:00-14:00 or sat,sun 00:00-24:00"


@dataclass(frozen=True, slots=True)
class Band:
    """`days`: 0 (Monday) to 6, in order; `begin`, `end`: minutes of the day, `end` up to 1440."""

    days: tuple[int, ...]
    begin: int
    end: int

    def __str__(self) -> str:
        """The one form in which it is stored and compared."""
        hours = f"{_clock(self.begin)}-{_clock(self.end)}"
        return hours if len(self.days) == 7 else f"{','.join(DAYS[day] for day in self.days)} {hours}"

    def covers(self, minute: int) -> bool:
        """Whether it counts at a minute of the week (0 is Monday 00:00, local time; UNKNOWN_MINUTE: it does)."""
        if minute == UNKNOWN_MINUTE:
            return True
        length = (self.end - self.begin) % DAY or DAY
        return any((minute - day * DAY - self.begin) % WEEK < length for day in self.days)


def read_band(text: str) -> Band | None:
    """The band that is written, None where it is none. Case and spaces around do not matter."""
    words = text.lower().split()
    if not 1 <= len(words) <= 2:
        return None
    days = _days(words[0]) if len(words) == 2 else tuple(range(7))
    begin, dash, end = words[-1].partition("-")
    first, last = _minute(begin), _minute(end)
    if days is None or not dash or first is None or last is None or first in (last, DAY):
        return None
    return Band(days, first, last or DAY)


def _days(text: str) -> tuple[int, ...] | None:
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            return None
        begin = DAYS.index(first)
        found.update((begin + step) % 7 for step in range((DAYS.index(last or first) - begin) % 7 + 1))
    return tuple(sorted(found))


def _minute(text: str) -> int | None:
    hour, colon, minute = text.partition(":")
    if not (colon and len(hour) == len(minute) == 2 and (hour + minute).isascii() and (hour + minute).isdigit()):
        return None
    found = int(hour) * 60 + int(minute)
    return found if int(minute) < 60 and found <= DAY else None


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
