"""What readers of consents and of refusals share: what cells are looked up in, and where problems go."""

from __future__ import annotations

from datetime import datetime

from gateway.control.importer.problems import Problems
from gateway.control.importer.subscriber import Subscribers
from gateway.control.importer.values import canonical_number, latest_time
from gateway.registry.model import Snapshot
from gateway.registry.numbering import NumberingPlan


class EventReader:
    """Turns cells into events, noting what is wrong."""

    def __init__(self, snapshot: Snapshot, subscribers: Subscribers, problems: Problems, now: datetime) -> None:
        """`now`: what an unknown time means."""
        self._plan = NumberingPlan(snapshot.plan, snapshot.emergency, snapshot.country, snapshot.zone)
        self._operators = {operator.id: operator.number for operator in snapshot.operators}
        self._purposes = snapshot.purposes
        self._subscribers = subscribers
        self._problems = problems
        self._now = now
        self._latest = latest_time()

    def _callee(self, line: int, callee: str) -> str:
        """Its canonical number; noted where it is none."""
        number, fix = canonical_number(self._plan, callee)
        if fix:
            self._problems.add(line, "callee", callee, fix)
        return number
