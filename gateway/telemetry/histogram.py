"""The histogram that the path of a call counts in; compiled with it."""

from __future__ import annotations

from bisect import bisect_left


class Histogram:
    """Counts per bucket and a sum, in seconds. `observe` costs one bisection."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def gather(self) -> None:
        """Make the counts anew: see `worker.ebb`."""
        self.counts = [count + 0 for count in self.counts]

    def observe(self, seconds: float) -> None:
        """Count one value: it falls into the first bucket whose bound is not less (Prometheus `le`)."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds
