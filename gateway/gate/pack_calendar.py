"""Public holidays in packs: a rule says `calendar = "cn"`, and the pack carries the days.

A pack is the same on every node and for ever, so the days of a calendar file (`config/calendars`) are written into its
text when it is imported, as

    [[calendar]]
    id = "cn"                    years = [2026]          holidays = [2026-01-01, ...]

and a rule's `calendar` is read as the parameter `holidays`. A changed file takes a new version of the pack.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from datetime import date

from gateway.registry.calendar import Calendar, CalendarError, read_calendar

Find = Callable[[str], str | None]
"""The text of the calendar file of a name, None where there is none."""
Found = list[tuple[str, str]]
"""Problems as (key, text)."""
MAX_CALENDARS = 16

_KEYS = ("holidays", "id", "years")


def with_calendars(text: str, find: Find) -> str:
    """The pack text with the calendars its rules name and that are not in it yet. What is wrong with the text, or with
    a name nobody knows, is left to the loader. Raises CalendarError for a calendar file that is wrong."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return text
    inside = {one.get("id") for one in _tables(table.get("calendar"))}
    for name in sorted(_named(table) - inside):
        written = find(name)
        if written is not None:
            text = f"{text.rstrip()}\n\n{_section(name, read_calendar(written, name))}"
    return text


def read_calendars(value: object) -> tuple[dict[str, list[date]], Found]:
    """The `[[calendar]]` tables of a pack, id to holidays, and what is wrong with them."""
    found: Found = []
    calendars: dict[str, list[date]] = {}
    if not isinstance(value, list) or len(value) > MAX_CALENDARS:
        return {}, [("calendar", f"calendar: write at most {MAX_CALENDARS} [[calendar]] tables")]
    for table in value:
        name = table.get("id") if isinstance(table, dict) else None
        days = table.get("holidays", []) if isinstance(table, dict) else None
        if not isinstance(name, str) or not name or name in calendars:
            found.append(("calendar", f"calendar.id: {name!r:.80}: write one name for each"))
        elif not isinstance(days, list) or not all(type(day) is date for day in days):
            found.append(("calendar", f"calendar {name}.holidays: write a list of dates, e.g. [2026-01-01]"))
        elif unknown := sorted(set(table) - set(_KEYS)):
            found.append(("calendar", f"calendar {name}.{unknown[0]}: unknown key: use one of {', '.join(_KEYS)}"))
        else:
            calendars[name] = days
    return calendars, found


def expand(params: Mapping[str, object], calendars: Mapping[str, list[date]]) -> dict[str, object]:
    """A rule's parameters with `holidays` in the place of `calendar`. ValueError as `key: value: fix`."""
    name = params.get("calendar")
    if name is None:
        return dict(params)
    if not isinstance(name, str) or name not in calendars:
        raise ValueError(f"calendar: {name!r:.80}: name a file of config/calendars, or put [[calendar]] into the pack")
    own = params.get("holidays", [])
    if not isinstance(own, list):
        raise ValueError(f"holidays: {own!r:.80}: write a list of dates, e.g. [2026-01-01]")
    rest = {key: value for key, value in params.items() if key != "calendar"}
    return rest | {"holidays": [*calendars[name], *own]}


def _named(table: Mapping[str, object]) -> set[str]:
    rules = (one.get("params") for one in _tables(table.get("rule")))
    names = (params.get("calendar") for params in rules if isinstance(params, dict))
    return {name for name in names if isinstance(name, str)}


def _tables(value: object) -> list[dict[str, object]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _section(name: str, calendar: Calendar) -> str:
    days = ", ".join(day.isoformat() for day in sorted(calendar.holidays))
    return f'[[calendar]]\nid = "{name}"\nyears = {sorted(calendar.years)}\nholidays = [{days}]\n'


__all__ = ["CalendarError", "expand", "read_calendars", "with_calendars"]
