"""Admission control in virtual time: a worker with a queue, calls that cost time, and refusals that cost less."""

from __future__ import annotations

from collections import deque

import pytest

from gateway.proxy.overload import CALM_PERIODS, MIN_SHARE, PERIOD_S, STEP_UP, Overload, OverloadSettings

SETTINGS = OverloadSettings()


class Worker:
    """Reads a queue of arrivals in turns. A call taken costs `cost` seconds, one refused `cheap`."""

    def __init__(self, cost: float = 0.001, cheap: float = 0.0001) -> None:
        self.cost = cost
        self.cheap = cheap
        self.now = 0.0
        self.queue: deque[float] = deque()
        self.overload = Overload(SETTINGS, 0.0)
        self.controlled = True
        """False: everything is taken."""
        self.delays: list[float] = []
        """Set-up delays of the calls that were taken."""
        self.shed: list[int] = []

    def run(self, seconds: float, rate: float) -> None:
        """Offer `rate` calls per second, evenly, for so long."""
        end = self.now + seconds
        arrival = self.now
        while self.now < end:
            while arrival <= self.now:
                self.queue.append(arrival)
                arrival += 1.0 / rate
            if not self.queue:
                self.now = min(arrival, end)
                self.overload.observe(self.now, 0.0, 0)
                continue
            self.overload.observe(self.now, self.now - self.queue[0], 0)
            for _ in range(min(len(self.queue), 16)):
                came = self.queue.popleft()
                self.overload.waited = self.now - came
                retry = self.overload.admit() if self.controlled else 0
                self.now += self.cheap if retry else self.cost
                if retry:
                    self.shed.append(retry)
                else:
                    self.delays.append(self.now - came)


def test_nothing_is_shed_below_what_can_be_borne() -> None:
    worker = Worker()
    worker.run(30.0, 900)
    assert worker.shed == []
    assert worker.overload.times == 0


@pytest.mark.parametrize("factor", [1.2, 2.0, 5.0])
def test_above_it_the_calls_taken_stay_fast_and_many(factor: float) -> None:
    worker = Worker()
    worker.run(60.0, 1000 * factor)
    delays = sorted(worker.delays)
    assert delays[int(len(delays) * 0.99)] < 0.1
    # What one second can do: taken * cost + refused * cheap = 1.
    possible = (1 - factor * 1000 * worker.cheap) / (worker.cost - worker.cheap)
    assert len(delays) / 60 > 0.8 * possible
    assert worker.overload.times < 10, "it does not flap"
    assert set(worker.shed) == {1, 2, 3}


def test_without_admission_control_the_same_load_is_late() -> None:
    worker = Worker()
    worker.controlled = False
    worker.run(60.0, 2000)
    assert sorted(worker.delays)[len(worker.delays) // 2] > 5.0


def test_shedding_ends_when_the_load_is_over() -> None:
    worker = Worker()
    worker.run(10.0, 3000)
    assert worker.overload.shedding
    worker.run(20.0, 100)
    assert not worker.overload.shedding
    shed = len(worker.shed)
    worker.run(20.0, 800)
    assert len(worker.shed) == shed


def test_a_short_burst_is_no_overload() -> None:
    worker = Worker()
    for _ in range(50):
        worker.queue.extend([worker.now] * 60)  # 60 ms of work at once, worked off before the period ends
        worker.run(1.0, 100)
    assert worker.shed == []


def test_an_idle_gateway_stops_shedding() -> None:
    overload = Overload(SETTINGS, 0.0)
    overload.observe(0.0, 1.0, 0)
    overload.observe(PERIOD_S, 1.0, 0)
    assert overload.shedding
    now = PERIOD_S
    for _ in range(3):  # a timer every two seconds
        now += 2.0
        overload.observe(now, 0.0, 0)
    assert not overload.shedding


def observe(overload: Overload, periods: int, delay_s: float, waiting: int = 0, start: float = 0.0) -> float:
    now = start
    for _ in range(periods * 10):
        now += PERIOD_S / 10
        overload.observe(now, delay_s, waiting)
    return now


def test_the_share_falls_by_the_gradient_within_bounds() -> None:
    overload = Overload(SETTINGS, 0.0)
    now = observe(overload, 1, SETTINGS.delay_s * 1.25)
    now = observe(overload, 1, SETTINGS.delay_s * 1.25, start=now)
    assert overload.share == pytest.approx(0.8, abs=0.17)
    before = overload.share
    overload.observe(now + PERIOD_S, 100.0, 0)
    assert overload.share >= before * 0.5 - 1e-9
    observe(overload, 100, 100.0, start=now + PERIOD_S)
    assert overload.share == MIN_SHARE


def test_between_the_thresholds_it_neither_begins_nor_ends() -> None:
    overload = Overload(SETTINGS, 0.0)
    now = observe(overload, 50, SETTINGS.delay_s * 0.9)
    assert not overload.shedding
    now = observe(overload, 3, SETTINGS.delay_s * 2, start=now)
    assert overload.shedding
    now = observe(overload, 200, SETTINGS.delay_s * 0.9, start=now)
    assert overload.shedding
    assert overload.share == 1.0
    observe(overload, CALM_PERIODS + 2, SETTINGS.delay_s * 0.4, start=now)
    assert not overload.shedding
    assert overload.times == 1


def test_while_shedding_a_call_that_waited_too_long_is_not_taken() -> None:
    overload = Overload(SETTINGS, 0.0)
    overload.waited = 5.0
    assert overload.admit() == 0, "one stall is no overload"
    overload.shedding = True
    assert all(overload.admit() for _ in range(50))
    overload.waited = SETTINGS.max_delay_s
    assert [overload.admit() for _ in range(3)] == [0, 0, 0]


def test_a_line_begins_the_shedding_and_takes_nothing_from_the_share() -> None:
    """The line sheds by itself: who has waited too long in it is not taken."""
    overload = Overload(SETTINGS, 0.0)
    overload.observe(0.05, 0.0, 0, SETTINGS.delay_s * 3)
    overload.observe(PERIOD_S, 0.0, 0, 0.0)
    assert not overload.shedding, "it was empty within the period"
    for period in range(2, 30):
        overload.observe(period * PERIOD_S, 0.0, 0, SETTINGS.delay_s * 3)
    assert overload.shedding and overload.share == 1.0
    assert overload.is_late(SETTINGS.max_delay_s * 1.01) and not overload.is_late(SETTINGS.max_delay_s)
    overload.waited = SETTINGS.max_delay_s * 1.01
    assert overload.admit() > 0 and overload.admit(emergency=True) == 0
    overload.waited = 0.0
    assert overload.admit() == 0
    for period in range(30, 30 + CALM_PERIODS + 2):
        overload.observe(period * PERIOD_S, 0.0, 0, 0.0)
    assert not overload.shedding and not overload.is_late(10.0)


def test_parked_calls_count_and_have_a_bound() -> None:
    overload = Overload(SETTINGS, 0.0)
    observe(overload, 2, 0.0, SETTINGS.waiting // 2)
    assert not overload.shedding
    observe(overload, 2, 0.0, SETTINGS.waiting * 2, start=1.0)
    assert overload.shedding
    full = Overload(SETTINGS, 0.0)
    full.observe(0.01, 0.0, SETTINGS.max_waiting)
    assert [full.admit() for _ in range(4)] == [2, 3, 1, 2]
    assert full.admit(emergency=True) == 0
    full.observe(0.02, 0.0, SETTINGS.max_waiting - 1)
    assert full.admit() == 0


def test_shares_are_counted_out_evenly() -> None:
    overload = Overload(SETTINGS, 0.0)
    overload.shedding = True
    overload.share = 0.25
    taken = [overload.admit() == 0 for _ in range(1000)]
    assert sum(taken) == 250
    assert all(sum(taken[at : at + 4]) == 1 for at in range(0, 1000, 4))
    assert (overload.admitted, overload.shed) == (250, 750)
    assert overload.share > STEP_UP


def test_emergency_calls_pass_at_any_share() -> None:
    overload = Overload(SETTINGS, 0.0)
    observe(overload, 100, 10.0, SETTINGS.max_waiting)
    assert overload.admit() > 0
    assert [overload.admit(emergency=True) for _ in range(100)] == [0] * 100
