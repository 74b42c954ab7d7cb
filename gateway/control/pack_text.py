"""The text of a pack as it is kept: with the days of the calendars it names, which come with the program."""

from __future__ import annotations

from gateway.gate.pack_calendar import with_calendars
from gateway.shipped import shipped


def whole_pack(text: str) -> str:
    """A pack file's text with its calendars in it. Raises CalendarError for a calendar file that is wrong."""
    return with_calendars(text, _calendar)


def _calendar(name: str) -> str | None:
    if not (name.isascii() and name.replace("-", "").isalnum()):  # a name, and no path
        return None
    path = shipped("calendars", f"{name}.toml")
    return path.read_text(encoding="utf-8") if path.exists() else None
