"""Cutting ranges into pages, and what a page says of each."""

from __future__ import annotations

import pytest

from gateway.registry.model import NumberRange
from gateway.registry.pages import cut, page_of, sort_key
from gateway.registry.ranges import RangeTable
from gateway.registry.standing import Bar
from tests.unit.registry.example import number_range


def block(number: int, width: int = 10, **fields: object) -> NumberRange:
    first = 20_000_000_000 + number * 10
    return number_range(f"+86{first}", f"+86{first + width - 1}", **{"id": f"r{number}", **fields})


def test_pages_are_cut_by_size_and_where_nothing_reaches_over() -> None:
    rows = [block(number) for number in range(10)]
    assert [len(part) for part in cut(rows, 4)] == [4, 4, 2]
    old = block(3, 30, valid_to=5.0)  # over 3, 4 and 5, before they were assigned
    rows = sorted([*rows, old], key=sort_key)
    assert [[row.id for row in part] for part in cut(rows, 4)] == [
        ["r0", "r1", "r2", "r3", "r3", "r4", "r5"], ["r6", "r7", "r8", "r9"],
    ]  # fmt: skip
    assert list(cut([], 4)) == []


def test_short_codes_have_pages_of_their_own() -> None:
    rows = sorted([block(1), number_range("95588", "95588"), number_range("9501300", "9501399")], key=sort_key)
    assert [[row.first for row in part] for part in cut(rows)] == [["95588", "9501300"], [block(1).first]]


def test_a_page_says_what_the_ranges_said() -> None:
    rows = [
        block(0, certificate="C", filing="F", valid_from=0.5),
        block(1, certificate="", filing="", valid_to=2.0**40),
        block(2, 10_000_000_000, certificate="证", steps=((1.0, "recalled"),)),
        block(2_000_000_000, bars=(Bar("A12", "certificate C2 is not on record", 1.0, 2.0), Bar("A02", "no licence")),
              certificate="C2", filing="F2"),
        block(2_000_000_001, bars=(Bar("A12", "certificate C3 is not on record", 1.0, 2.0), Bar("A02", "no licence")),
              certificate="C3", filing="F2"),
    ]  # fmt: skip
    page = page_of(rows)
    assert [page.value(index) for index in range(len(page))] == rows
    assert len(page.shared) == 3  # the bars of the last two differ by their certificates only


def test_layers_of_a_page_are_all_looked_at() -> None:
    rows = [block(0, 100, id="wide", valid_to=10.0), *[block(number, valid_from=10.0) for number in range(10)]]
    table = RangeTable(rows)
    assert table.layers == 2
    for number in range(10):
        first = block(number).first
        assert (table.find(first, 5.0), table.find(first, 10.0)) == (rows[0], rows[number + 1])
    assert table.near(block(9).first[:-1]) is not None


def test_a_page_of_no_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="r1"):
        page_of([number_range("+861", "+8612", id="r1")])


def test_pages_out_of_order_are_refused() -> None:
    pages = [page_of([block(2)]), page_of([block(1)])]
    with pytest.raises(ValueError, match="not in order"):
        RangeTable((), "86", pages)
