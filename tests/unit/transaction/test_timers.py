from __future__ import annotations

import pytest

from gateway.transaction import timers as t
from gateway.transaction.timers import MAX_DURATIONS, NEVER, TimerQueue, TimerValues


class Owner:
    def __init__(self) -> None:
        self.fired: list[tuple[int, float]] = []

    def timer_fired(self, timer: int, now: float) -> None:
        self.fired.append((timer, now))


def test_defaults_are_those_of_rfc_3261_table_4() -> None:
    values = TimerValues()
    assert (values.t1, values.t2, values.t4) == (0.5, 4.0, 5.0)
    assert values.timeout == 32.0
    assert values.c == 180.0
    assert values.first_response == 4.0


def test_the_timeout_is_64_t1() -> None:
    assert TimerValues(t1=0.25).timeout == 16.0


def test_every_timer_has_a_name() -> None:
    assert len(t.TIMER_NAMES) == t.TIMER_CANCELLED + 1
    assert t.TIMER_NAMES[t.TIMER_C] == "C"


def test_a_timer_fires_once_at_its_instant_and_not_before() -> None:
    queue, owner = TimerQueue(), Owner()
    assert queue.earliest == NEVER
    queue.start(2.0, 1.0, owner, t.TIMER_A)
    assert queue.earliest == 3.0
    assert queue.expire(2.75) == 0
    assert queue.earliest == 3.0
    assert queue.expire(3.0) == 1
    assert owner.fired == [(t.TIMER_A, 3.0)]
    assert queue.earliest == NEVER
    assert len(queue) == 0


def test_earliest_over_several_durations() -> None:
    queue, owner = TimerQueue(), Owner()
    queue.start(32.0, 0.0, owner, t.TIMER_B)
    queue.start(0.5, 0.0, owner, t.TIMER_A)
    queue.start(0.5, 0.25, owner, t.TIMER_E)
    assert queue.earliest == 0.5
    queue.expire(0.5)
    assert queue.earliest == 0.75
    queue.expire(10.0)
    assert queue.earliest == 32.0
    assert [timer for timer, _ in owner.fired] == [t.TIMER_A, t.TIMER_E]
    assert len(queue) == 1


def test_a_timer_may_start_timers() -> None:
    queue = TimerQueue()

    class Doubling(Owner):
        delay = 0.5

        def timer_fired(self, timer: int, now: float) -> None:
            super().timer_fired(timer, now)
            self.delay *= 2
            queue.start(self.delay, now, self, timer)

    owner = Doubling()
    queue.start(owner.delay, 0.0, owner, t.TIMER_A)
    for now in (0.5, 1.0, 1.5, 3.5):
        queue.expire(now)
    assert [now for _, now in owner.fired] == [0.5, 1.5, 3.5]
    assert queue.earliest == 7.5


def test_a_timer_of_no_duration_is_due_at_once() -> None:
    queue, owner = TimerQueue(), Owner()
    queue.start(0.0, 5.0, owner, t.TIMER_K)
    assert queue.earliest == 5.0
    assert queue.expire(5.0) == 1


def test_an_owner_that_fails_does_not_stop_the_others() -> None:
    queue, owner = TimerQueue(), Owner()

    class Broken:
        def timer_fired(self, timer: int, now: float) -> None:
            raise ZeroDivisionError

    queue.start(1.0, 0.0, Broken(), t.TIMER_A)
    queue.start(1.0, 0.0, owner, t.TIMER_A)
    queue.start(9.0, 0.0, owner, t.TIMER_B)
    with pytest.raises(ZeroDivisionError):
        queue.expire(1.0)
    assert queue.earliest <= 1.0  # the shell comes back at once
    queue.expire(1.0)
    assert owner.fired == [(t.TIMER_A, 1.0)]
    assert queue.earliest == 9.0


def test_odd_durations_leave_nothing_behind() -> None:
    queue, owner = TimerQueue(), Owner()
    for number in range(1000):
        queue.start(1.0 + number / 1024, 0.0, owner, t.TIMER_C)
    queue.expire(3.0)
    assert len(queue) == 0
    assert len(owner.fired) == 1000
    queue.start(1.0, 3.0, owner, t.TIMER_C)
    assert len(queue._queues[t.TIMER_C]) <= MAX_DURATIONS
