from __future__ import annotations

from gateway.proxy.remembered import Decisions, leg_of


def test_what_became_of_a_call() -> None:
    decisions = Decisions()
    assert [decisions.use(b"a"), decisions.use(b"a"), decisions.use(b"b")] == [0, 1, 0]
    decisions.settled(b"never left", False)
    assert not decisions.failed(b"never left")
    for call, answered in ((b"a", True), (b"b", False)):
        decisions.forwarded(call)
        assert decisions.unanswered(call)
        decisions.settled(call, answered)
        assert not decisions.unanswered(call)
        assert decisions.failed(call) is not answered


def test_an_id_that_comes_again_gets_another_number_each_time() -> None:
    decisions = Decisions()
    for decision in (b"a", b"b"):
        assert decisions.use(decision) == 0
    numbers = [decisions.use(decision) for decision in (b"a", b"b", b"a")]
    assert 0 not in numbers
    assert len(set(numbers)) == 3


def test_one_leg_of_a_call_ends_and_the_other_goes_on() -> None:
    decisions = Decisions()
    first, second = leg_of(b"call", b"t1"), leg_of(b"call", b"t2")
    decisions.leg_answered(first)
    decisions.leg_answered(second)
    decisions.leg_ended(first)
    assert not decisions.leg_is_up(first)
    assert decisions.leg_is_up(second)
