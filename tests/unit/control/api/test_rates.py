"""Token buckets."""

from __future__ import annotations

from gateway.control.api.rates import Rates


def test_a_burst_then_the_rate() -> None:
    rates = Rates(2.0, 3.0)
    assert [rates.take("a", 10.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert rates.take("a", 10.4) > 0.0
    assert rates.take("a", 10.5) == 0.0
    assert [rates.take("a", 100.0) for _ in range(4)].count(0.0) == 3  # never more than the burst


def test_names_are_apart_and_looking_takes_nothing() -> None:
    rates = Rates(1.0, 1.0)
    assert rates.wait("a", 0.0) == rates.wait("a", 0.0) == 0.0
    assert rates.take("a", 0.0) == 0.0
    assert rates.wait("a", 0.25) == 0.75
    assert rates.take("b", 0.25) == 0.0


def test_no_more_buckets_than_the_bound() -> None:
    rates = Rates(1.0, 1.0, most=2)
    for name in "abacd":
        rates.take(name, 0.0)
    assert len(rates) == 2
    assert rates.take("d", 0.0) == 1.0  # remembered
    assert rates.take("a", 0.0) == 0.0  # forgotten


def test_a_refused_one_does_not_push_another_out() -> None:
    rates = Rates(1.0, 1.0, most=2)
    rates.take("a", 0.0)
    rates.take("b", 0.0)
    assert rates.take("a", 0.0) == 1.0
    rates.take("c", 0.0)
    assert rates.take("b", 0.0) == 1.0
