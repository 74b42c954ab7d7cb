"""Range lookups against the obvious slow way, validity, near misses."""

from __future__ import annotations

import random

import pytest

from gateway.registry.model import NumberRange
from gateway.registry.number_key import key_number, number_key
from gateway.registry.ranges import MAX_KEPT, RangeTable, overlaps
from tests.unit.registry.example import number_range


@pytest.mark.parametrize("number", ["95588", "+8657112340000", "0", "+0", "00", "12345678901234567"])
def test_key_and_back(number: str) -> None:
    assert key_number(number_key(number)) == number


@pytest.mark.parametrize("number", ["", "+", "123456789012345678", "+86x", "８６", "1_000", " 12", "-12", "+86 1"])
def test_no_key(number: str) -> None:
    assert number_key(number) == -1
    assert RangeTable([number_range("+8657112340000", "+8657112349999")]).find(number) is None


def test_keys_sort_by_plus_length_digits() -> None:
    numbers = ["110", "999", "95588", "955880", "+110", "+8613800138000"]
    assert sorted(numbers, key=number_key) == numbers


def test_find_gives_the_range_whole() -> None:
    row = number_range(
        "+8657112340000",
        "+8657112349999",
        egress=("carrier",),
        certificate="C-1 证",
        filing="F 2020/7",
        valid_from=5.0,
        valid_to=9.5,
        state="suspended",
        inbound=False,
    )
    table = RangeTable([row])
    assert table.find("+8657112340000") == row
    assert table.find("+8657112349999") == row
    assert table.find("+8657112340000") is table.find("+8657112345678")
    for outside in ("+8657112339999", "+8657112350000", "8657112340000", "+86571123400000", "+865711234000"):
        assert table.find(outside) is None
    assert len(table) == 1


def test_find_agrees_with_a_scan() -> None:
    dice = random.Random(4)
    rows: list[NumberRange] = []
    for count in range(300):
        first = dice.randrange(0, 9_000)
        last = min(first + dice.choice([0, 9, 99, 499]), 9_999)
        begin = dice.randrange(1, 50)
        rows.append(
            number_range(
                f"+86571{first:04}",
                f"+86571{last:04}",
                id=f"r{count}",
                valid_from=float(begin),
                valid_to=float(begin + dice.randrange(1, 4)),
            )
        )
    table = RangeTable(rows)
    for _ in range(4_000):
        wanted, at = f"+86571{dice.randrange(10_000):04}", float(dice.randrange(1, 60))
        holding = [row for row in rows if row.first <= wanted <= row.last]
        valid = [row for row in holding if row.valid_from <= at < row.valid_to]
        found = table.find(wanted, at)
        if valid:
            assert found in valid
        elif holding:
            assert found in holding
            begun = [row.valid_from for row in holding if row.valid_from <= at]
            assert found is not None
            assert found.valid_from == (max(begun) if begun else min(row.valid_from for row in holding))
        else:
            assert found is None
        assert (table.find(wanted) is None) == (not holding)


def test_the_range_valid_at_the_time() -> None:
    old = number_range("+8657112340000", "+8657112349999", id="old", valid_to=100.0)
    new = number_range("+8657112340000", "+8657112340999", id="new", valid_from=100.0, valid_to=200.0, operator="beta")
    table = RangeTable([new, old])
    assert table.layers == 2
    assert table.find("+8657112340000", 99.9) == old
    assert table.find("+8657112340000", 100.0) == new
    assert table.find("+8657112340000", 200.0) == new  # both over: the one that ended last
    assert table.find("+8657112341000", 150.0) == old


def test_lengths_never_mix() -> None:
    table = RangeTable([number_range("9501300", "9501399", id="seven"), number_range("95013", "95013", id="five")])
    assert table.find("95013") == number_range("95013", "95013", id="five")
    assert table.find("9501350") is not None
    assert table.find("950135") is None
    assert table.find("+95013") is None


@pytest.mark.parametrize(
    ("number", "near"),
    [
        ("+86571123400001", True),  # one added
        ("+8657112340000123", True),  # three added
        ("+86571123400001234", False),  # four
        ("+865711234000", True),  # one cut
        ("+8657112340", True),  # three cut
        ("+865711234", False),  # four
        ("+865711235000", False),
        ("955881", True),
        ("9558", True),
        ("+861095588", True),  # area code in front of a service code
        ("+8657195588", True),
        ("+8695588", True),
        ("+8613800138000", False),
        ("", False),
        ("+", False),
        ("+86", False),
    ],
)
def test_near(number: str, near: bool) -> None:
    table = RangeTable([number_range("+8657112340000", "+8657112349999"), number_range("95588", "95588", id="bank")])
    assert (table.near(number) is not None) == near


def test_kept_values_are_bounded() -> None:
    rows = [number_range(f"+86571{n:08}", f"+86571{n:08}", id=str(n)) for n in range(MAX_KEPT + 10)]
    table = RangeTable(rows)
    assert [table.find(row.first) for row in rows] == rows
    assert len(table._kept) <= MAX_KEPT


@pytest.mark.parametrize(("first", "last"), [("+8611", "+8610"), ("+8610", "+86100"), ("+8610", "8611"), ("x", "y")])
def test_bad_ranges_are_refused(first: str, last: str) -> None:
    with pytest.raises(ValueError, match="not two numbers of one length"):
        RangeTable([number_range(first, last)])


def test_overlaps() -> None:
    one = number_range("+8657112340000", "+8657112349999", id="one")
    inner = number_range("+8657112345000", "+8657112345999", id="inner")
    longer = number_range("+86571123400000", "+86571123499999", id="longer")
    assert overlaps([inner, one, longer]) == [(one, inner)]
    ended = number_range("+8657112340000", "+8657112349999", id="ended", valid_to=50.0)
    after = number_range("+8657112340000", "+8657112349999", id="after", valid_from=50.0)
    assert overlaps([ended, after]) == []
    assert len(overlaps([ended, after, one])) == 2
    assert overlaps([number_range("x", "y")]) == []
