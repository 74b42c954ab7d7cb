"""Number ranges as sorted arrays: a million of them in well under 100 MB, one bisect per lookup.

A canonical number becomes one 64-bit integer: plus flag (1 bit), digit count (6 bits), digits (57 bits). So
numbers of different length never compare as neighbours, which is what "exact digit length" asks for (RULES
A19). Ranges over the same numbers with different validity are kept in *layers*; within a layer nothing
overlaps, so each layer is one bisect. Ordinarily there is one layer. Attributes that many ranges share are
kept once; id, certificate and filing, which every range has of its own, stand in one text block.
`NumberRange` values are made on demand and a bounded number kept."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

from gateway.registry.model import NumberRange, RangeState, Step
from gateway.registry.standing import Bar

MAX_RANGE_DIGITS: Final = 17
"""10^17 < 2^57: the most digits the key holds. E.164 needs 15, extended 95 codes 13."""
MAX_KEPT: Final = 4096
"""Range values, and numbers with their range, kept between lookups. Calls come from few of either at a time; the bound
keeps memory flat."""
NEAR_DIGITS: Final = 3
"""How many digits added or cut still name the range a number was made from (RULES A19, Part 2(d) form 13)."""

_LENGTH_SHIFT: Final = 57
_PLUS: Final = 1 << 63
_DIGITS: Final = (1 << _LENGTH_SHIFT) - 1
_SEPARATOR: Final = "\x1f"

_Texts = tuple[str, ...]
_Shared = tuple[
    str, _Texts, _Texts, bool, bool, _Texts, RangeState, tuple[Step, ...], int, _Texts, _Texts, str,
    tuple[Bar, ...],
]  # fmt: skip
"""Operator, trunks, egress, outbound, inbound, purposes, state; steps, length, regions, carriers, tenant, bars."""


def number_key(canonical: str) -> int:
    """The integer a canonical number is sorted by; -1 where it is none, or longer than MAX_RANGE_DIGITS."""
    plus = canonical[:1] == "+"
    digits = canonical[1:] if plus else canonical
    count = len(digits)
    if count > MAX_RANGE_DIGITS or not digits.isdigit() or not digits.isascii():
        return -1
    key = count << _LENGTH_SHIFT | int(digits)
    return key | _PLUS if plus else key


def key_number(key: int) -> str:
    """The canonical number of a key: `number_key`'s inverse."""
    digits = str(key & _DIGITS)
    zeros = (key >> _LENGTH_SHIFT & 0x3F) - len(digits)
    if zeros:
        digits = "0" * zeros + digits
    return "+" + digits if key & _PLUS else digits


class _Layer:
    """Ranges of which no two share a number, sorted."""

    __slots__ = ("firsts", "kept", "lasts", "offsets", "shared", "starts", "texts", "untils")

    def __init__(self) -> None:
        self.firsts = array("Q")
        self.lasts = array("Q")
        self.starts = array("d")
        self.untils = array("d")
        self.shared = array("I")
        self.offsets = array("I", [0])
        self.texts = bytearray()
        self.kept: dict[int, NumberRange] = {}


class RangeTable:
    """All number ranges of a snapshot. Immutable from the outside.

    Raises ValueError for a range whose first and last are no canonical numbers of one length
    (`registry.validate` reports such ranges by name before they get here)."""

    __slots__ = ("_found", "_layers", "_shared", "country")

    def __init__(self, ranges: Iterable[NumberRange], country: str = "86") -> None:
        self.country = country
        self._shared: list[_Shared] = []
        self._layers: list[_Layer] = []
        self._found: dict[str, NumberRange] = {}
        self._build(ranges)

    def __len__(self) -> int:
        return sum(len(layer.firsts) for layer in self._layers)

    @property
    def layers(self) -> int:
        """How many bisects a lookup takes: the most ranges that stand over one number."""
        return len(self._layers)

    def find(self, canonical: str, at: float = 0.0) -> NumberRange | None:
        """The range that holds this number; of several, the one valid `at` (epoch seconds).

        Where none of several is valid then, the one that began last before `at`, else the one that begins
        first, so that a refusal can name it. `at` 0: whichever is found first."""
        known = self._found.get(canonical)
        if known is not None:
            return known
        key = number_key(canonical)
        if key < 0:
            return None
        best: NumberRange | None = None
        for layer in self._layers:
            index = bisect_right(layer.firsts, key) - 1
            if index < 0 or layer.lasts[index] < key:
                continue
            found = layer.kept.get(index) or self._value(layer, index)
            if len(self._layers) == 1:  # no other range holds it, at no time
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
        for layer in self._layers:
            index = bisect_right(layer.firsts, high) - 1
            if index >= 0 and layer.lasts[index] >= low:
                return layer.kept.get(index) or self._value(layer, index)
        return None

    def _value(self, layer: _Layer, index: int) -> NumberRange:
        """Make the value of a range and keep it for the next call."""
        offsets = layer.offsets
        text = str(layer.texts[offsets[index] : offsets[index + 1]], "utf-8")
        range_id, certificate, filing = text.split(_SEPARATOR)
        shared = self._shared[layer.shared[index]]
        operator, trunks, egress, outbound, inbound, purposes, state = shared[:7]
        steps, length, regions, carriers, tenant, bars = shared[7:]
        found = NumberRange(
            range_id,
            key_number(layer.firsts[index]),
            key_number(layer.lasts[index]),
            operator,
            trunks,
            egress,
            outbound,
            inbound,
            purposes,
            certificate,
            filing,
            layer.starts[index],
            layer.untils[index],
            state,
            steps,
            length,
            regions,
            carriers,
            tenant,
            bars,
        )
        if len(layer.kept) >= MAX_KEPT:
            layer.kept.clear()
        layer.kept[index] = found
        return found

    def _build(self, ranges: Iterable[NumberRange]) -> None:
        rows = sorted(ranges, key=_sort_key)
        known: dict[_Shared, int] = {}
        for row in rows:
            first, last = number_key(row.first), number_key(row.last)
            if first < 0 or last < first or first >> _LENGTH_SHIFT != last >> _LENGTH_SHIFT:
                raise ValueError(f"range {row.id}: {row.first}-{row.last}: not two numbers of one length in order")
            layer = self._layer_for(first)
            shared: _Shared = (
                row.operator, row.trunks, row.egress, row.outbound, row.inbound, row.purposes, row.state,
                row.steps, row.length, row.regions, row.carriers, row.tenant, row.bars,
            )  # fmt: skip
            place = known.get(shared)
            if place is None:
                place = known[shared] = len(self._shared)
                self._shared.append(shared)
            layer.firsts.append(first)
            layer.lasts.append(last)
            layer.starts.append(row.valid_from)
            layer.untils.append(row.valid_to)
            layer.shared.append(place)
            layer.texts += _SEPARATOR.join((row.id, row.certificate, row.filing)).encode()
            layer.offsets.append(len(layer.texts))

    def _layer_for(self, first: int) -> _Layer:
        """The first layer whose ranges all end before this one begins (rows come sorted by first number)."""
        for layer in self._layers:
            if layer.lasts[-1] < first:
                return layer
        layer = _Layer()
        self._layers.append(layer)
        return layer


def overlaps(ranges: Iterable[NumberRange]) -> list[tuple[NumberRange, NumberRange]]:
    """Pairs that share numbers of equal length *and* time: what no registry may hold (DESIGN §6).

    Each range is compared with the ranges still open when it begins; ranges that are malformed are left out.
    """
    rows = sorted((row for row in ranges if number_key(row.first) >= 0 <= number_key(row.last)), key=_sort_key)
    open_rows: list[tuple[int, NumberRange]] = []
    pairs: list[tuple[NumberRange, NumberRange]] = []
    for row in rows:
        first = number_key(row.first)
        open_rows = [entry for entry in open_rows if entry[0] >= first]
        pairs.extend((other, row) for _, other in open_rows if _times_meet(other, row))
        open_rows.append((number_key(row.last), row))
    return pairs


def _sort_key(row: NumberRange) -> tuple[int, float]:
    return number_key(row.first), row.valid_from


def _times_meet(one: NumberRange, other: NumberRange) -> bool:
    """Half-open validity [from, to); to = 0 is open."""
    return (not one.valid_to or other.valid_from < one.valid_to) and (
        not other.valid_to or one.valid_from < other.valid_to
    )


def _closer(one: NumberRange, other: NumberRange, at: float) -> NumberRange:
    """Of two ranges not valid at `at`: the later begun one before it, else the earlier one after it."""
    early, late = (one, other) if one.valid_from <= other.valid_from else (other, one)
    return late if late.valid_from <= at else early
