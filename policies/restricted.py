"""Outbound access that was limited after violations: of a number, a trunk, an operator (RULES A32, A26, A22)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from policies.base import MEMORY, Answer
from policies.facts import OUTBOUND, Facts
from policies.limits import limits
from policies.params import only, words

STEPS = ("number", "trunk", "operator")
"""The rungs of the ladder."""


class OperatorRestricted:
    """Restrictions that are in force at the second of the call. Inbound calls go on.

    Parameters make the ladder that closes a step by itself (RULES A32): `violations`: ids of rules whose refusals
    count; `number`, `trunk`, `operator`: the limits of each step, of which the `count`-th violation in its window
    restricts it. None of them: restrictions are made by people alone."""

    id: ClassVar[str] = "operator-restricted"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = MEMORY
    answer: ClassVar[Answer] = Answer(403, "Forbidden", 21)

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params, "violations", *STEPS)
        self.violations = frozenset(words(params, "violations", ()))
        self.steps = tuple([(kind, found) for kind in STEPS if (found := limits(params, kind))])
        if bool(self.violations) != bool(self.steps):
            raise ValueError(
                f"violations: {sorted(self.violations)!r}: give both the rules that count and the limits of a step "
                f"({', '.join(STEPS)}), or neither"
            )

    def judge(self, facts: Facts) -> str | None:
        """Refuse while one holds, naming all that do."""
        return "; ".join(facts.restrictions) if facts.restrictions else None
