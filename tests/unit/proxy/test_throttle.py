"""A token bucket for each source, and a bound on the sources."""

from __future__ import annotations

import pytest

from gateway.proxy import throttle
from gateway.proxy.throttle import Throttle, throttled_as


def test_a_burst_then_the_rate_for_each_source_alone() -> None:
    buckets = Throttle(2.0, 3)
    assert [buckets.take(b"a", 0.0) for _ in range(4)] == [True, True, True, False]
    assert buckets.take(b"b", 0.0)
    assert not buckets.take(b"a", 0.4)
    assert buckets.take(b"a", 0.5)
    assert not buckets.allows(b"a", 0.5)
    assert [buckets.take(b"a", 100.0) for _ in range(4)] == [True, True, True, False]


def test_looking_takes_and_remembers_nothing() -> None:
    buckets = Throttle(1.0, 1)
    assert all(buckets.allows(b"a", 0.0) for _ in range(5))
    assert len(buckets) == 0


def test_the_longest_away_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MAX_SOURCES", 2)
    buckets = Throttle(0.001, 1)
    assert buckets.take(b"a", 0.0)
    assert buckets.take(b"b", 1.0)
    assert buckets.take(b"c", 2.0)
    assert len(buckets) == 2
    assert not buckets.take(b"b", 2.0)
    assert buckets.take(b"a", 2.0)


def test_one_line_is_one_source() -> None:
    assert throttled_as(b"192.0.2.1") == b"192.0.2.1"
    assert throttled_as(b"2001:db8::1") == throttled_as(b"2001:db8::ffff:1") != throttled_as(b"2001:db8:0:1::1")
