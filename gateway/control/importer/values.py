"""Values in import files: times, numbers."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from gateway.registry.numbering import NumberingPlan

AHEAD_S = 300.0
"""Events further ahead than this are refused: a clock that is wrong would win every order."""
TIME_FIX = "write an RFC 3339 time with its zone, e.g. 2024-01-31T09:00:00+08:00"
NUMBER_FIX = "write a number of the plan, as +<country><number> or as a short code"
MAX_TEXT = 2_048
"""Characters of a free text cell (a URI, a source)."""
AHEAD_FIX = "write a time that is not ahead of now by more than 5 minutes"
UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for a grant whose time nobody knows: older than any revoke."""


@lru_cache(maxsize=4096)
def parse_time(text: str) -> datetime | None:
    """An RFC 3339 time, or None where it is none (a zone is required)."""
    if len(text) < 20 or text[4] != "-" or text[7] != "-" or text[10] not in "Tt " or text[13] != ":":
        return None
    try:
        found = datetime.fromisoformat(text.upper())
        return None if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):  # the second: year 1 or 9999 moved over the edge by its zone
        return None


def time_text(at: datetime | None) -> str:
    """A time as `parse_time` reads it; empty for none."""
    return at.astimezone(UTC).isoformat() if at else ""


def canonical_number(plan: NumberingPlan, text: str) -> tuple[str, str]:
    """(canonical, "") of a number in canonical form, else ("", what to write instead)."""
    plus = text[:1] == "+"
    digits = text[1:] if plus else text
    if not (digits.isascii() and digits.isdigit()):
        return "", NUMBER_FIX
    number = plan.read(digits.encode("ascii"), plus, plan.country, "")
    if number is None:
        return "", NUMBER_FIX
    if number.canonical != text:
        return "", f"write it in canonical form: {number.canonical}"
    return text, ""


def text_problem(text: str) -> str:
    """What is wrong with a free text cell, or empty."""
    if len(text) > MAX_TEXT:
        return f"write at most {MAX_TEXT} characters"
    return "" if text.isprintable() else "write printable UTF-8 text"


def known(names: Iterable[str]) -> str:
    """The first few names there are, for a message."""
    return ", ".join(sorted(names)[:8]) or "there are none yet"


def latest_time() -> datetime:
    """Events after this are ahead of their time."""
    return datetime.fromtimestamp(time.time(), UTC) + timedelta(seconds=AHEAD_S)
