"""Bars compiled for the path of a call: what stands against a trunk, a tenant, a number at this second.

A trunk nobody has anything against costs one dictionary lookup, one whose licence ends some day two comparisons
besides."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from gateway.registry.model import Trunk
from gateway.registry.standing import Bar, Restriction, Standing, SubjectKind

NOTHING: Final[tuple[str, ...]] = ()
_NEVER: Final = float("inf")


class Bars:
    """The bars of one subject, and the span around the last look in which none of them holds."""

    __slots__ = ("_bars", "_clear_from", "_clear_to")

    def __init__(self, bars: Iterable[Bar]) -> None:
        self._bars = tuple(bars)
        self._clear_from = _NEVER
        self._clear_to = -_NEVER

    def at(self, at: float) -> tuple[str, ...]:
        """Everything that bars it at this time (epoch seconds), in words."""
        if self._clear_from <= at < self._clear_to:
            return NOTHING
        found = tuple([bar.words for bar in self._bars if bar.holds(at)])
        if not found:
            self._clear_from = max([bar.to_at for bar in self._bars if bar.to_at and bar.to_at <= at], default=-_NEVER)
            self._clear_to = min([bar.from_at for bar in self._bars if bar.from_at > at], default=_NEVER)
        return found


class Admissions:
    """All bars of a snapshot, by what a call comes with: papers apart from restrictions, since two rules refuse for
    them. A trunk's are its operator's and its own."""

    __slots__ = ("_numbers", "_papers", "_restricted", "_tenants")

    def __init__(
        self, standings: Iterable[Standing], restrictions: Iterable[Restriction], trunks: Iterable[Trunk]
    ) -> None:
        papers = {(one.kind, one.subject): one.bars for one in standings}
        limits: dict[tuple[SubjectKind, str], tuple[Bar, ...]] = {}
        for row in restrictions:
            bar = Bar("", f"{row.kind} {row.subject} restricted: {row.reason}", row.from_at, row.to_at)
            limits[row.kind, row.subject] = (*limits.get((row.kind, row.subject), ()), bar)
        self._tenants = {subject: Bars(bars) for (kind, subject), bars in papers.items() if kind == "tenant"}
        self._numbers = {subject: Bars(bars) for (kind, subject), bars in limits.items() if kind == "number"}
        self._papers: dict[str, Bars] = {}
        self._restricted: dict[str, Bars] = {}
        for trunk in trunks:
            for table, known in ((self._papers, papers), (self._restricted, limits)):
                bars = (*known.get(("operator", trunk.operator), ()), *known.get(("trunk", trunk.id), ()))
                if bars:
                    table[trunk.id] = Bars(bars)

    def papers(self, trunk: str, tenant: str, at: float) -> tuple[str, ...]:
        """Why papers do not admit outbound calls of this trunk (for this tenant, if any) at this time."""
        bars = self._papers.get(trunk)
        found = NOTHING if bars is None else bars.at(at)
        if tenant:
            bars = self._tenants.get(tenant)
            if bars is not None:
                found += bars.at(at)
        return found

    def restrictions(self, trunk: str, number: str, at: float) -> tuple[str, ...]:
        """Restrictions that meet an outbound call at this time: of its operator, its trunk, its caller number."""
        bars = self._restricted.get(trunk)
        found = NOTHING if bars is None else bars.at(at)
        if self._numbers:
            bars = self._numbers.get(number)
            if bars is not None:
                found += bars.at(at)
        return found
