"""No callee is called too often: by all callers together, and by one operator (RULES A37; Part 2(b), France)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from policies.base import STORE, Answer
from policies.facts import OUTBOUND, Facts
from policies.limits import limits, opens_in_s, reached
from policies.params import only, words


class Frequency:
    """Callees who were called as often as any of the limits allows. What counts is a call that was let through.

    Parameters: `callee`: limits over all callers; `operator`: limits of one operator to one callee; `purposes`: the
    calls it looks at and counts (empty: all)."""

    id: ClassVar[str] = "frequency"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = STORE
    answer: ClassVar[Answer] = Answer(603, "Decline", 21)  # Retry-After: `retry_after`

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params, "callee", "operator", "purposes")
        self.callee = limits(params, "callee")
        self.operator = limits(params, "operator")
        self.purposes = words(params, "purposes", ())

    def looks_at(self, purpose: str) -> bool:
        """Does it count calls of this purpose?"""
        return not self.purposes or purpose in self.purposes

    def judge(self, facts: Facts) -> str | None:
        """Refuse the call after the last that is allowed."""
        counted = facts.counted
        if not (self.callee or self.operator) or not self.looks_at(facts.purpose):
            return None
        if counted is None:
            return "attempts not read"
        limit = reached(self.callee, counted.callee_ages_ms)
        if limit is not None:
            return f"callee called {limit} by all callers"
        limit = reached(self.operator, counted.operator_ages_ms)
        return None if limit is None else f"callee called {limit} by this operator"

    def retry_after(self, facts: Facts) -> int:
        """Seconds until the windows are open again; 0: not known."""
        counted = facts.counted
        if counted is None:
            return 0
        return max(
            opens_in_s(self.callee, counted.callee_ages_ms), opens_in_s(self.operator, counted.operator_ages_ms)
        )
