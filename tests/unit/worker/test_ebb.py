"""When memory is given back."""

from __future__ import annotations

from pathlib import Path

from gateway.worker.ebb import FALLEN, MIN_TRANSACTIONS, Ebb, give_back


def test_a_quarter_of_the_peak_is_an_ebb_and_the_next_peak_counts_anew() -> None:
    ebb = Ebb()
    peak = MIN_TRANSACTIONS * FALLEN * FALLEN
    course = [0, peak, peak - 1, peak // FALLEN + 1, peak // FALLEN, peak // FALLEN, peak // FALLEN // FALLEN, 0, 0]
    assert [ebb.has_fallen(number) for number in course] == [
        *(False, False, False, False, True, False, True, True, False)
    ]
    assert [ebb.has_fallen(number) for number in (peak, 0)] == [False, True]


def test_a_handful_of_calls_is_no_tide() -> None:
    ebb = Ebb()
    assert not any(ebb.has_fallen(number) for number in (MIN_TRANSACTIONS - 1, 0) * 10)


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4_096


def test_free_pages_go_back_also_below_what_is_in_use() -> None:
    blocks = [bytes(2_000) + b"%d" % number for number in range(20_000)]
    full = resident()
    last = blocks[-1]
    blocks.clear()
    give_back()
    assert last and full - resident() > 30_000_000
