"""Outbound access that was limited after violations: of a number, a trunk, an operator (RULES A32, A22)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from policies.base import MEMORY, Answer
from policies.facts import OUTBOUND, Facts
from policies.params import only


class OperatorRestricted:
    """Restrictions that are in force at the second of the call. Inbound calls go on."""

    id: ClassVar[str] = "operator-restricted"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = MEMORY
    answer: ClassVar[Answer] = Answer(403, "Forbidden", 21)

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params)

    def judge(self, facts: Facts) -> str | None:
        """Refuse while one holds, naming all that do."""
        return "; ".join(facts.restrictions) if facts.restrictions else None
