"""All number ranges of a registry version: a million of them in less than 100 MB, two bisects per lookup.

They stand in pages (`pages`): one bisect finds the page a number falls into, one the range in it. Pages are shared
between versions. `NumberRange` values are made on demand and a bounded number kept."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

from gateway.registry.model import NumberRange
from gateway.registry.number_key import number_key
from gateway.registry.pages import Page, cut, page_of, sort_key

MAX_KEPT: Final = 4096
"""Range values, and numbers with their range, kept between lookups. Calls come from few of either at a time; the bound
keeps memory flat."""
NEAR_DIGITS: Final = 3
"""How many digits added or cut still name the range a number was made from (RULES A19, Part 2(d) form 13)."""
_PLACE_BITS: Final = 32


class RangeTable:
    """Immutable from the outside.

    Raises ValueError for a range whose first and last are no canonical numbers of one length, and for pages that do
    not stand in order."""

    __slots__ = ("_found", "_kept", "_lows", "_pages", "country")

    def __init__(self, ranges: Iterable[NumberRange] = (), country: str = "86", pages: Iterable[Page] = ()) -> None:
        """Of `ranges` in any order, or of `pages` made elsewhere, in order."""
        self.country = country
        self._pages = list(pages) or [page_of(rows) for rows in cut(sorted(ranges, key=sort_key))]
        self._lows = array("Q", [page.low for page in self._pages])
        self._found: dict[str, NumberRange] = {}
        self._kept: dict[int, NumberRange] = {}
        for one, other in zip(self._lows, self._lows[1:], strict=False):
            if one >= other:
                raise ValueError("pages of ranges: not in order")

    def __len__(self) -> int:
        return sum([len(page) for page in self._pages])

    @property
    def pages(self) -> tuple[Page, ...]:
        """In order."""
        return tuple(self._pages)

    @property
    def layers(self) -> int:
        """How many bisects a lookup takes at most, beside the one for the page: the most ranges over one number."""
        return max([len(page.ends) for page in self._pages], default=0)

    def find(self, canonical: str, at: float = 0.0) -> NumberRange | None:
        """The range that holds this number; of several, the one valid `at` (epoch seconds).

        Where none of several is valid then, the one that began last before `at`, else the one that begins
        first, so that a refusal can name it. `at` 0: whichever is found first."""
        known = self._found.get(canonical)
        if known is not None:
            return known
        key = number_key(canonical)
        place = bisect_right(self._lows, key) - 1 if key >= 0 else -1
        if place < 0:
            return None
        page = self._pages[place]
        firsts, low = page.firsts, 0
        best: NumberRange | None = None
        for high in page.ends:
            index = bisect_right(firsts, key, low, high) - 1
            if index < low or key - firsts[index] > page.widths[index]:
                low = high
                continue
            low = high
            found = self._value(place, index)
            if len(page.ends) == 1:  # no other range holds it, at no time
                if len(self._found) >= MAX_KEPT:
                    self._found.clear()
                self._found[canonical] = found
                return found
            if not at or (found.valid_from <= at and (not found.valid_to or at < found.valid_to)):
                return found
            best = found if best is None else _closer(best, found, at)
        return best

    def near(self, canonical: str) -> NumberRange | None:
        """A range that holds this number with 1 to 3 digits added at the end, or cut there; or a service
        code's range where an area code was put in front of it. None where nothing is near.

        Says how a number in no range was made, it never lets one pass.
        """
        plus = "+" if canonical[:1] == "+" else ""
        digits = canonical[len(plus) :]
        for extra in range(1, NEAR_DIGITS + 1):
            found = self.find(plus + digits[:-extra]) or self._begins_with(plus + digits, extra)
            if found is not None:
                return found
        if canonical.startswith("+" + self.country):
            national = digits[len(self.country) :]
            for area in (0, 2, 3):
                found = self.find(national[area:])
                if found is not None:
                    return found
        return None

    def _begins_with(self, canonical: str, missing: int) -> NumberRange | None:
        """A range that holds a number of `missing` more digits that begins with these."""
        low = number_key(canonical + "0" * missing)
        if low < 0:
            return None
        high = low + 10**missing - 1
        place = bisect_right(self._lows, high) - 1
        if place < 0:
            return None
        page, begin = self._pages[place], 0
        for end in page.ends:
            index = bisect_right(page.firsts, high, begin, end) - 1
            if index >= begin and page.firsts[index] + page.widths[index] >= low:
                return self._value(place, index)
            begin = end
        return None

    def _value(self, place: int, index: int) -> NumberRange:
        """The value of a range, kept for the next call."""
        known = self._kept.get(place << _PLACE_BITS | index)
        if known is not None:
            return known
        found = self._pages[place].value(index)
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
        self._kept[place << _PLACE_BITS | index] = found
        return found


def overlaps(ranges: Iterable[NumberRange]) -> list[tuple[NumberRange, NumberRange]]:
    """Pairs that share numbers of equal length *and* time: what no registry may hold (DESIGN §6).

    Each range is compared with the ranges still open when it begins; ranges that are malformed are left out.
    """
    rows = sorted((row for row in ranges if number_key(row.first) >= 0 <= number_key(row.last)), key=sort_key)
    open_rows: list[tuple[int, NumberRange]] = []
    pairs: list[tuple[NumberRange, NumberRange]] = []
    for row in rows:
        first = number_key(row.first)
        open_rows = [entry for entry in open_rows if entry[0] >= first]
        pairs.extend((other, row) for _, other in open_rows if _times_meet(other, row))
        open_rows.append((number_key(row.last), row))
    return pairs


def _times_meet(one: NumberRange, other: NumberRange) -> bool:
    """Half-open validity [from, to); to = 0 is open."""
    return (not one.valid_to or other.valid_from < one.valid_to) and (
        not other.valid_to or one.valid_from < other.valid_to
    )


def _closer(one: NumberRange, other: NumberRange, at: float) -> NumberRange:
    """Of two ranges not valid at `at`: the later begun one before it, else the earlier one after it."""
    early, late = (one, other) if one.valid_from <= other.valid_from else (other, one)
    return late if late.valid_from <= at else early
