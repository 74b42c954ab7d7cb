"""Bars compiled for the path of a call: what stands against a trunk, a tenant, a number at this second.

A subject nobody has anything against costs one dictionary lookup, one whose licence ends some day two comparisons
besides."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from gateway.registry.standing import Bar, Restriction, Standing

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
    """All bars of a snapshot: papers apart from restrictions, since two rules refuse for them."""

    __slots__ = ("_papers", "_restricted")

    def __init__(self, standings: Iterable[Standing], restrictions: Iterable[Restriction]) -> None:
        self._papers: dict[tuple[str, str], Bars] = {(one.kind, one.subject): Bars(one.bars) for one in standings}
        grouped: dict[tuple[str, str], list[Bar]] = {}
        for row in restrictions:
            bar = Bar("", f"{row.kind} {row.subject} restricted: {row.reason}", row.from_at, row.to_at)
            grouped.setdefault((row.kind, row.subject), []).append(bar)
        self._restricted = {subject: Bars(bars) for subject, bars in grouped.items()}

    def papers(self, operator: str, trunk: str, tenant: str, at: float) -> tuple[str, ...]:
        """Why papers do not admit outbound calls of this operator by this trunk (for this tenant) at this time."""
        found = self._at("operator", operator, at) + self._at("trunk", trunk, at)
        return found + self._at("tenant", tenant, at) if tenant else found

    def restrictions(self, operator: str, trunk: str, number: str, at: float) -> tuple[str, ...]:
        """Restrictions that meet an outbound call at this time: of its operator, its trunk, its caller number."""
        table = self._restricted
        if not table:
            return NOTHING
        found = NOTHING
        for subject in (("operator", operator), ("trunk", trunk), ("number", number)):
            bars = table.get(subject)
            if bars is not None:
                found += bars.at(at)
        return found

    def _at(self, kind: str, subject: str, at: float) -> tuple[str, ...]:
        bars = self._papers.get((kind, subject))
        return bars.at(at) if bars is not None else NOTHING
