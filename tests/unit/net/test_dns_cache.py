"""How long answers are kept, and how many."""

from __future__ import annotations

import pytest

from gateway.net import dns_cache
from gateway.net.dns_cache import DnsCache

KEY = ("a.example", "A")


@pytest.mark.parametrize(
    ("records", "ttl", "kept"),
    [
        (("127.0.0.1",), 60, 60),
        (("127.0.0.1",), 0, dns_cache.MIN_TTL_S),
        (("127.0.0.1",), 10**6, dns_cache.MAX_TTL_S),
        ((), 60, 60),
        ((), 0, dns_cache.MIN_NEGATIVE_TTL_S),
        ((), 10**6, dns_cache.MAX_NEGATIVE_TTL_S),
    ],
)
def test_ttls_within_bounds(records: tuple[str, ...], ttl: float, kept: float) -> None:
    cache = DnsCache()
    assert cache.fresh(KEY, 0.0) is None
    cache.put(KEY, records, ttl, 100.0)
    assert cache.fresh(KEY, 100.0 + kept - 0.001) == records
    assert cache.fresh(KEY, 100.0 + kept) is None
    assert cache.stale(KEY, 100.0 + kept) == records
    assert cache.stale(KEY, 100.0 + kept + dns_cache.MAX_STALE_S) is None
    assert cache.stale_served == 1


def test_a_failure_holds_the_next_query_back_and_keeps_what_is_known() -> None:
    cache = DnsCache()
    cache.put(KEY, ("127.0.0.1",), 60, 0.0)
    cache.put_failure(KEY, 70.0)
    assert cache.failed_lately(KEY, 70.0 + dns_cache.FAILURE_S - 0.001)
    assert not cache.failed_lately(KEY, 70.0 + dns_cache.FAILURE_S)
    assert cache.stale(KEY, 70.0) == ("127.0.0.1",)
    other = ("b.example", "A")
    cache.put_failure(other, 70.0)
    assert cache.stale(other, 70.0) is None
    assert cache.fresh(other, 70.0) is None
    cache.put(other, ("127.0.0.2",), 60, 71.0)
    assert not cache.failed_lately(other, 71.0)


def test_the_least_used_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_cache, "MAX_ENTRIES", 3)
    cache = DnsCache()
    for number in range(3):
        cache.put((f"{number}.example", "A"), ("127.0.0.1",), 60, 0.0)
    assert cache.fresh(("0.example", "A"), 1.0)
    cache.put(("3.example", "A"), ("127.0.0.1",), 60, 0.0)
    cache.put_failure(("4.example", "A"), 0.0)
    assert len(cache) == 3
    assert cache.fresh(("0.example", "A"), 1.0)
    assert cache.fresh(("1.example", "A"), 1.0) is None
