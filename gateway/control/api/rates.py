"""Token buckets with a bound on how many there are. Pure: `now` is passed in, in seconds that only grow."""

from __future__ import annotations

from typing import Final

MAX_BUCKETS: Final = 10_000
"""Names remembered at once, some 2 MB; beyond that the one unused for longest is forgotten, which fills its bucket."""


class Rates:
    """One bucket per name: `rate` a second, `burst` at once."""

    def __init__(self, rate: float, burst: float, most: int = MAX_BUCKETS) -> None:
        self._rate = rate
        self._burst = burst
        self._most = most
        self._buckets: dict[object, tuple[float, float]] = {}

    def wait(self, name: object, now: float) -> float:
        """Seconds until one more is allowed; 0: now. Takes nothing."""
        return max(0.0, (1.0 - self._level(name, now)) / self._rate)

    def take(self, name: object, now: float) -> float:
        """Take one where one is allowed: 0.0; else the seconds to wait."""
        level = self._level(name, now)
        if level < 1.0:
            return (1.0 - level) / self._rate
        self._buckets.pop(name, None)
        if len(self._buckets) >= self._most:
            del self._buckets[next(iter(self._buckets))]  # dicts keep their order: the one unused for longest
        self._buckets[name] = (level - 1.0, now)
        return 0.0

    def _level(self, name: object, now: float) -> float:
        known = self._buckets.get(name)
        if known is None:
            return self._burst
        level, at = known
        return min(self._burst, level + (now - at) * self._rate)

    def __len__(self) -> int:
        """Buckets held."""
        return len(self._buckets)
