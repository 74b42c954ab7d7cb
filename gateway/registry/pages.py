"""Number ranges in pages of some thousand, each a few packed arrays: what a snapshot of a million ranges is made of.

A page is made once, by whoever publishes, and travels as it is; workers keep the pages that a new version still has. A
page is cut only where no range reaches over the cut, so the one page that a number falls into holds every range there
is for it. Within a page, ranges over the same numbers with different validity stand in *layers*: in a layer nothing
overlaps, so each is one bisect. Ordinarily there is one.

What many ranges share (operator, trunks, purposes …) is kept once. Id, certificate and filing, which every range has
of its own, stand in one text block, without what they all begin with; bars name them mostly, so bars are kept with
placeholders and shared too."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from gateway.registry.model import NumberRange, RangeState, Step
from gateway.registry.number_key import LENGTH_SHIFT, PLUS, key_number, number_key
from gateway.registry.standing import Bar

PAGE_ROWS: Final = 2_048
"""Ranges of a page as it is cut: 100 KB, made anew when one of them changes; a worker reads it in 2 ms."""

SEPARATOR: Final = "\x1f"
"""Between id, certificate and filing: `validate_range` lets no control characters into them."""
_ID, _CERTIFICATE, _FILING = "\x1c", "\x1d", "\x1e"
"""Stand for these in a bar's reason."""
_NARROW: Final = 1 << 32

_Texts = tuple[str, ...]
Shared = tuple[
    str, _Texts, _Texts, bool, bool, _Texts, RangeState, tuple[Step, ...], int, _Texts, _Texts, str,
    tuple[Bar, ...],
]  # fmt: skip
"""Operator, trunks, egress, outbound, inbound, purposes, state; steps, length, regions, carriers, tenant, bars."""


class Page:
    """Some ranges that stand beside each other. Never changed once made."""

    __slots__ = ("begins", "ends", "firsts", "froms", "kinds", "offsets", "shared", "texts", "untils", "widths")

    def __init__(
        self,
        ends: tuple[int, ...],
        firsts: array[int],
        widths: array[int],
        froms: array[Any],
        untils: array[Any],
        kinds: array[int],
        shared: tuple[Shared, ...],
        begins: tuple[str, str, str],
        offsets: array[int],
        texts: bytes,
    ) -> None:
        """Raises ValueError where the parts do not belong together."""
        rows = len(firsts)
        if not (
            rows
            and ends
            and ends[-1] == rows
            and all(low < high for low, high in zip((0, *ends), ends, strict=False))
            and rows == len(widths) == len(froms) == len(untils) == len(kinds) == len(offsets) - 1
            and len(shared) > max(kinds)
            and offsets[rows] == len(texts)
        ):
            raise ValueError("page of ranges: its parts do not belong together")
        self.ends = ends
        """Where each layer ends."""
        self.firsts = firsts
        self.widths = widths
        """Last number less the first."""
        self.froms = froms
        self.untils = untils
        """Epoch seconds: whole numbers where all are."""
        self.kinds = kinds
        """Place in `shared`."""
        self.shared = shared
        self.begins = begins
        """What every id, certificate and filing begins with."""
        self.offsets = offsets
        self.texts = texts

    def __len__(self) -> int:
        return len(self.firsts)

    @property
    def low(self) -> int:
        """Key of its lowest number."""
        return int(self.firsts[0])

    def value(self, index: int) -> NumberRange:
        """The range at a place."""
        offsets = self.offsets
        parts = self.texts[offsets[index] : offsets[index + 1]].decode().split(SEPARATOR)
        begins = self.begins
        range_id, certificate, filing = begins[0] + parts[0], begins[1] + parts[1], begins[2] + parts[2]
        operator, trunks, egress, outbound, inbound, purposes, state, steps, length, regions, carriers, tenant, bars = (
            self.shared[self.kinds[index]]
        )
        first = self.firsts[index]
        return NumberRange(
            range_id,
            key_number(first),
            key_number(first + self.widths[index]),
            operator,
            trunks,
            egress,
            outbound,
            inbound,
            purposes,
            certificate,
            filing,
            float(self.froms[index]),
            float(self.untils[index]),
            state,
            steps,
            length,
            regions,
            carriers,
            tenant,
            _told(bars, range_id, certificate, filing) if bars else bars,
        )


def cut(rows: Sequence[NumberRange], size: int = PAGE_ROWS) -> Iterator[Sequence[NumberRange]]:
    """Sorted ranges (`sort_key`), page by page: `size` of them, or more where ranges reach over each other, or over
    the cut. Short codes and E.164 numbers have pages of their own."""
    begin, reach = 0, -1
    for index, row in enumerate(rows):
        first = number_key(row.first)
        if index > begin and first > reach and (index - begin >= size or (reach ^ first) & PLUS):
            yield rows[begin:index]
            begin = index
        reach = max(reach, number_key(row.last))
    if begin < len(rows):
        yield rows[begin:]


def page_of(rows: Sequence[NumberRange]) -> Page:
    """A page of sorted ranges, at least one. Raises ValueError for a range whose first and last are no canonical
    numbers of one length (`registry.validate` reports such ranges by name before they get here)."""
    layers: list[list[tuple[int, int, NumberRange]]] = []
    for row in rows:
        first, last = number_key(row.first), number_key(row.last)
        if first < 0 or last < first or first >> LENGTH_SHIFT != last >> LENGTH_SHIFT:
            raise ValueError(f"range {row.id}: {row.first}-{row.last}: not two numbers of one length in order")
        for layer in layers:
            if layer[-1][1] < first:
                layer.append((first, last, row))
                break
        else:
            layers.append([(first, last, row)])
    ends: list[int] = []
    for layer in layers:
        ends.append(len(layer) + (ends[-1] if ends else 0))
    entries = [entry for layer in layers for entry in layer]
    widths = [last - first for first, last, _ in entries]
    own = [(row.id, row.certificate, row.filing) for _, _, row in entries]
    begins = (_common([one[0] for one in own]), _common([one[1] for one in own]), _common([one[2] for one in own]))
    texts: list[bytes] = []
    offsets = array("I", [0])
    for one in own:
        rest = [text[len(begin) :] for text, begin in zip(one, begins, strict=True)]
        texts.append(SEPARATOR.join(rest).encode())
        offsets.append(offsets[-1] + len(texts[-1]))
    kinds: dict[Shared, int] = {}
    own_kinds = [kinds.setdefault(_shared(row), len(kinds)) for _, _, row in entries]
    return Page(
        tuple(ends),
        array("Q", [first for first, _, _ in entries]),
        array("I" if max(widths) < _NARROW else "Q", widths),
        _times([row.valid_from for _, _, row in entries]),
        _times([row.valid_to for _, _, row in entries]),
        array("H" if len(kinds) <= 1 << 16 else "I", own_kinds),
        tuple(kinds),
        begins,
        offsets,
        b"".join(texts),
    )


def sort_key(row: NumberRange) -> tuple[int, float]:
    """Pages stand in this order, and ranges before they are cut into pages."""
    return number_key(row.first), row.valid_from


def _times(times: list[float]) -> array[Any]:
    if all(at.is_integer() and 0.0 <= at < _NARROW for at in times):
        return array("I", [int(at) for at in times])
    return array("d", times)


def _common(texts: list[str]) -> str:
    """What all begin with."""
    low, high = min(texts), max(texts)
    for place, letter in enumerate(low):
        if letter != high[place]:
            return low[:place]
    return low


def _shared(row: NumberRange) -> Shared:
    return (
        row.operator, row.trunks, row.egress, row.outbound, row.inbound, row.purposes, row.state,
        row.steps, row.length, row.regions, row.carriers, row.tenant, _untold(row) if row.bars else row.bars,
    )  # fmt: skip


def _untold(row: NumberRange) -> tuple[Bar, ...]:
    """Its bars with placeholders for what only this range is called."""
    names = [(name, mark) for name, mark in zip(
        (row.id, row.certificate, row.filing), (_ID, _CERTIFICATE, _FILING), strict=True) if name]  # fmt: skip
    return tuple([Bar(bar.clause, _replaced(bar.reason, names), bar.from_at, bar.to_at) for bar in row.bars])


def _told(bars: tuple[Bar, ...], range_id: str, certificate: str, filing: str) -> tuple[Bar, ...]:
    names = [(_ID, range_id), (_CERTIFICATE, certificate), (_FILING, filing)]
    return tuple([Bar(bar.clause, _replaced(bar.reason, names), bar.from_at, bar.to_at) for bar in bars])


def _replaced(reason: str, names: Iterable[tuple[str, str]]) -> str:
    for old, new in names:
        reason = reason.replace(old, new)
    return reason
