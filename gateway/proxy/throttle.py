"""How often something is done for one source, with a bound on the sources remembered."""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import ip_address

MAX_SOURCES = 20_000
"""Sources remembered: about 5 MB. Full: the one that was away longest is forgotten, and begins anew."""


class Throttle:
    """A token bucket for each source. Pure: `now` is passed in."""

    __slots__ = ("_buckets", "_burst", "_rate")

    def __init__(self, rate: float, burst: int) -> None:
        """`rate`: per second in the long run; `burst`: at once."""
        self._rate = rate
        self._burst = float(burst)
        self._buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, source: bytes, now: float) -> bool:
        """Once more for this source; False: too often."""
        left = self._left(source, now)
        if left < 1.0:
            return False
        self._buckets[source] = (left - 1.0, now)
        self._buckets.move_to_end(source)
        if len(self._buckets) > MAX_SOURCES:
            self._buckets.popitem(last=False)
        return True

    def allows(self, source: bytes, now: float) -> bool:
        """Would `take` be True? Nothing is taken or remembered."""
        return self._left(source, now) >= 1.0

    def _left(self, source: bytes, now: float) -> float:
        found = self._buckets.get(source)
        if found is None:
            return self._burst
        return min(self._burst, found[0] + (now - found[1]) * self._rate)


def throttled_as(host: bytes) -> bytes:
    """What one subscriber line may choose from counts as one source: an IPv4 address, an IPv6 /64. `host`: an address
    as text."""
    return ip_address(host.decode()).packed[:8] if b":" in host else host
