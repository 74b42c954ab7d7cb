from __future__ import annotations

from gateway.store.redis.breaker import FAILURES_TO_OPEN, Breaker


def test_opens_after_failures_in_a_row_and_closes_on_an_answer() -> None:
    breaker = Breaker()
    assert [breaker.failed() for _ in range(FAILURES_TO_OPEN)] == [False] * (FAILURES_TO_OPEN - 1) + [True]
    assert breaker.open and breaker.opened == 1
    assert not breaker.failed()
    breaker.succeeded()
    assert not breaker.open


def test_an_answer_between_starts_the_count_again() -> None:
    breaker = Breaker()
    for _ in range(3):
        for _ in range(FAILURES_TO_OPEN - 1):
            assert not breaker.failed()
        breaker.succeeded()
    assert not breaker.open and breaker.opened == 0


def test_it_tells_each_change_once() -> None:
    told: list[bool] = []
    breaker = Breaker(told.append)
    breaker.succeeded()
    for _ in range(FAILURES_TO_OPEN + 3):
        breaker.failed()
    breaker.succeeded()
    breaker.succeeded()
    assert told == [True, False]
