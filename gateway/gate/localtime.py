"""What time and day it is where somebody is: time bands of refusals and quiet hours go by it."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from policies.band import DAY, UNKNOWN_MINUTE


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo | None:
    """None for one this machine's time zone data do not have."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):  # ZoneInfoNotFoundError is a KeyError
        return None


def local_time(at: float, zone: str) -> tuple[int, int]:
    """Minute of the week (0 is Monday 00:00) and date (proleptic ordinal) in an IANA zone at `at` (epoch seconds).
    UNKNOWN_MINUTE and 0 where there is no zone, or none of that name."""
    found = _zone(zone) if zone else None
    if found is None:
        return UNKNOWN_MINUTE, 0
    local = datetime.fromtimestamp(at, found)
    return local.weekday() * DAY + local.hour * 60 + local.minute, local.toordinal()
