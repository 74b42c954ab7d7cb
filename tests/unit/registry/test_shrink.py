"""What a change loses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.registry.shrink import loss, suspicious
from tests.unit.registry.example import number_range, snapshot

BEFORE = snapshot()
WHOLE = BEFORE.ranges[0]


@pytest.mark.parametrize(
    ("kept", "numbers", "holes"),
    [
        ([("0000", "9999")], 0, ()),
        ([("0000", "4999"), ("5000", "9999")], 0, ()),
        ([("0000", "4999")], 5_000, ()),
        ([("5000", "9999")], 5_000, ()),
        ([("0000", "4999"), ("6000", "9999")], 1_000, ("+8657112345000-+8657112345999",)),
        ([("0000", "0999"), ("2000", "2999"), ("4000", "9999")], 2_000,
         ("+8657112341000-+8657112341999", "+8657112343000-+8657112343999")),
        ([], 10_000, ()),
    ],
)  # fmt: skip
def test_loss(kept: list[tuple[str, str]], numbers: int, holes: tuple[str, ...]) -> None:
    rows = [number_range(f"+865711234{first}", f"+865711234{last}") for first, last in kept]
    rows = [replace(row, id=WHOLE.id if index == 0 else f"r{index}") for index, row in enumerate(rows)]
    found = loss(BEFORE, replace(BEFORE, ranges=(*rows, *BEFORE.ranges[1:])))
    assert (found.numbers, found.before, found.holes) == (numbers, 30_000, holes)


def test_numbers_that_another_range_takes_over_are_not_lost() -> None:
    moved = replace(WHOLE, id="other", operator="beta", trunks=("cc-beta",))
    assert loss(BEFORE, replace(BEFORE, ranges=(moved, *BEFORE.ranges[1:]))).numbers == 0


def test_suspicious_is_what_takes_more_than_a_share_or_tears_a_hole() -> None:
    fewer = replace(BEFORE, ranges=BEFORE.ranges[1:], trunks=BEFORE.trunks[1:])
    assert suspicious(BEFORE, fewer, 0.2) == [
        "takes away 10,000 of 30,000 numbers, more than 20%",
        "takes away 1 of 3 ranges, more than 20%",
        "takes away 1 of 3 trunks, more than 20%",
    ]
    assert suspicious(BEFORE, fewer, 0.4) == []
    assert suspicious(BEFORE, BEFORE) == []
    assert suspicious(replace(BEFORE, ranges=(), trunks=()), BEFORE) == []
