from __future__ import annotations

from gateway.control.repeats import MAX_KEYS, REPEAT_S, Repeats


def test_at_once_then_once_a_minute() -> None:
    now = [1_000.0]
    repeats = Repeats(lambda: now[0])
    told = []
    for _ in range(121):
        if repeats.due("n-0", "DiskFullError", "53100"):
            told.append(now[0])
        now[0] += 1.0
    assert told == [1_000.0, 1_060.0, 1_120.0]


def test_another_problem_is_told_at_once() -> None:
    repeats = Repeats(lambda: 0.0)
    assert [repeats.due(*key) for key in (("a", "X"), ("b", "X"), ("a", "Y"), ("a", "X"))] == [True, True, True, False]


def test_a_clock_set_back_silences_nothing() -> None:
    now = [1_000.0]
    repeats = Repeats(lambda: now[0])
    assert repeats.due("x")
    now[0] -= 10 * REPEAT_S
    assert repeats.due("x")


def test_memory_is_bounded() -> None:
    repeats = Repeats(lambda: 0.0)
    for number in range(5 * MAX_KEYS):
        repeats.due(str(number))
    assert len(repeats._logged) <= MAX_KEYS
