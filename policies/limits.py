"""Limits of a sliding window: so many in so many seconds. The limit-th passes, the next does not.

In a pack: `callee = [{ count = 5, seconds = 86400 }, { count = 3, seconds = 300 }]`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

MAX_COUNT: Final = 100
"""Of one limit. So many times are kept for each callee, and stand in the record of a call that is judged by them."""

MAX_LIMITS: Final = 8
MAX_SECONDS: Final = 366 * 86_400
"""A year: counters stay in memory for so long."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` in any `seconds`."""

    count: int
    seconds: int

    def opens_in(self, ages_ms: Sequence[int]) -> int:
        """Milliseconds until one more may pass, 0: now. `ages_ms`: how long ago the earlier ones were, newest first."""
        if len(ages_ms) < self.count:
            return 0
        return max(0, self.seconds * 1000 - ages_ms[self.count - 1])

    def __str__(self) -> str:
        """`5 in 86400 s`."""
        return f"{self.count} in {self.seconds} s"


def opens_in_s(limits: Sequence[Limit], ages_ms: Sequence[int]) -> int:
    """Whole seconds until all of these let one more pass, rounded up; 0: they do now."""
    return ceil(max([limit.opens_in(ages_ms) for limit in limits], default=0) / 1000)


def reached(limits: Sequence[Limit], ages_ms: Sequence[int]) -> Limit | None:
    """The first limit that lets no more pass now."""
    for limit in limits:
        if limit.opens_in(ages_ms):
            return limit
    return None


def limits(params: Mapping[str, object], key: str) -> tuple[Limit, ...]:
    """A parameter that is a list of limits; empty where it is left out. Raises ValueError: `key: value: fix`."""
    value = params.get(key, ())
    if not isinstance(value, list | tuple) or len(value) > MAX_LIMITS:
        raise ValueError(f"{key}: {value!r}: write a list of at most {MAX_LIMITS} {{ count = N, seconds = N }}")
    return tuple([_limit(key, item) for item in value])


def seconds(params: Mapping[str, object], key: str, default: int = 0) -> int:
    """A span in whole seconds; 0: none."""
    value = params.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_SECONDS:
        raise ValueError(f"{key}: {value!r}: write whole seconds from 0 to {MAX_SECONDS}")
    return value


def _limit(key: str, item: object) -> Limit:
    fix = f"write {{ count = 1-{MAX_COUNT}, seconds = 1-{MAX_SECONDS} }}"
    if not isinstance(item, dict) or set(item) != {"count", "seconds"}:
        raise ValueError(f"{key}: {item!r}: {fix}")
    count, span = item["count"], item["seconds"]
    for number, most in ((count, MAX_COUNT), (span, MAX_SECONDS)):
        if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= most:
            raise ValueError(f"{key}: {item!r}: {fix}")
    return Limit(count, span)
