"""What time it is where somebody is: time bands of refusals go by it."""

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


def minute_of_week(at: float, zone: str) -> int:
    """Minute of the week in an IANA zone at `at` (epoch seconds), 0 is Monday 00:00. UNKNOWN_MINUTE where there is no
    zone, or none of that name."""
    found = _zone(zone) if zone else None
    if found is None:
        return UNKNOWN_MINUTE
    local = datetime.fromtimestamp(at, found)
    return local.weekday() * DAY + local.hour * 60 + local.minute
