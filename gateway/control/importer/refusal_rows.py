"""Rows of refusals: cells to events."""

from __future__ import annotations

from datetime import datetime

from gateway.control.importer.event_reader import EventReader
from gateway.control.importer.problems import Problems
from gateway.control.importer.subscriber import Subscribers
from gateway.control.importer.values import AHEAD_FIX, TIME_FIX, canonical_number, known, parse_time, text_problem
from gateway.registry.model import Snapshot
from gateway.store.sql.refusals import OWN, SCOPES, RefusalEvent
from policies.band import FIX as BAND_FIX
from policies.band import read_band

REQUIRED = ("callee", "scope")
OPTIONAL = ("value", "event", "source", "registered_at", "band", "agreement")
DECLARE, WITHDRAW = "declare", "withdraw"
MAX_PREFIX = 15
"""Digits of a caller prefix: E.164's longest number."""


class RefusalReader(EventReader):
    """Turns cells into events, noting what is wrong."""

    def __init__(
        self, snapshot: Snapshot, subscribers: Subscribers, problems: Problems, now: datetime, into: str = OWN
    ) -> None:
        """`now`: what an unknown time means. `into`: the list they are for."""
        super().__init__(snapshot, subscribers, problems, now)
        self._list = into

    def event(
        self,
        line: int,
        callee: str,
        scope: str,
        value: str = "",
        event: str = "",
        source: str = "",
        registered_at: str = "",
        band: str = "",
        agreement: str = "",
    ) -> RefusalEvent | None:
        """One row; cells in the order of REQUIRED and OPTIONAL. None where something is wrong."""
        add = self._problems.add
        before = len(self._problems.found)
        number = self._callee(line, callee)
        if scope not in SCOPES:
            add(line, "scope", scope, f"write one of {', '.join(SCOPES)}")
        elif fix := self._value_problem(scope, value):
            add(line, "value", value or "(empty)", fix)
        withdraw = event.lower() == WITHDRAW
        if not withdraw and event.lower() not in ("", DECLARE):
            add(line, "event", event, f"write {DECLARE} or {WITHDRAW}")
        if fix := text_problem(source):
            add(line, "source", source, fix)
        if fix := text_problem(agreement):
            add(line, "agreement", agreement, fix)
        hours = read_band(band) if band else None
        if band and hours is None:
            add(line, "band", band, BAND_FIX)
        at = parse_time(registered_at) if registered_at else self._now
        if at is None:
            add(line, "registered_at", registered_at, TIME_FIX)
        elif withdraw and not registered_at:
            add(line, "registered_at", "(empty)", f"a withdrawal needs its time: {TIME_FIX}")
        elif at > self._latest:
            add(line, "registered_at", registered_at, AHEAD_FIX)
        if at is None or len(self._problems.found) > before:
            return None
        return RefusalEvent(
            line, self._subscribers.hash(number), self._subscribers.seal(number), scope, value, withdraw, at, source,
            str(hours) if hours else "", self._list, agreement,
        )  # fmt: skip

    def _value_problem(self, scope: str, value: str) -> str:
        if scope == "all":
            return "leave it empty: the scope is all" if value else ""
        if scope == "category":
            return "" if value in self._purposes else f"name one of the purposes ({known(self._purposes)})"
        if scope == "operator":
            return "" if value in self._operators else f"name one of the operators ({known(self._operators)})"
        if scope == "caller":
            return canonical_number(self._plan, value)[1]
        digits = value.removeprefix("+")
        if digits.isascii() and digits.isdigit() and len(digits) <= MAX_PREFIX:
            return ""
        return "write the first digits of canonical numbers, e.g. +86571 or 950"
