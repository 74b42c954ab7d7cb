"""Verdicts told to their callers."""

from __future__ import annotations

import pytest

from gateway.gate.decision import Verdict
from gateway.gate.engine import Engine
from gateway.gate.waiting import Deliver, Waiting, deliver
from tests.unit.gate.calls import attempt, invite, registry
from tests.unit.gate.test_engine import example


def waiting(tell: Deliver, decided: bool = True) -> Waiting:
    made = Waiting(Engine(example()), registry(), 1.0, "127.0.0.2:5060/udp", b"", tell)
    if decided:
        made.verdict = Verdict(attempt(invite()), "1" * 32, "allow", "", None, ())
    return made


def test_each_is_told_its_own_in_order() -> None:
    told: list[Verdict] = []
    ready = [waiting(told.append), waiting(told.append)]
    deliver(ready)
    assert told == [ready[0].verdict, ready[1].verdict]


def test_what_was_not_decided_is_not_told() -> None:
    told: list[Verdict] = []
    deliver([waiting(told.append, decided=False)])
    assert told == []


def test_one_that_raises_does_not_leave_the_others_untold() -> None:
    told: list[Verdict] = []

    def first(verdict: Verdict) -> None:
        raise ValueError("first")

    def second(verdict: Verdict) -> None:
        raise KeyError("second")

    with pytest.raises(ValueError, match="first"):
        deliver([waiting(first), waiting(told.append), waiting(second), waiting(told.append)])
    assert len(told) == 2


def test_a_new_one_has_nothing_yet() -> None:
    made = waiting(lambda verdict: None, decided=False)
    assert (made.verdict, made.shadow, made.repeated, made.lookup_us) == (None, [], False, 0)
