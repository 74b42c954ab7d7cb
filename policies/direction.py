"""Numbers are used only in the directions their certificate states (RULES A10, A12, A28)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from policies.base import MEMORY, Answer
from policies.facts import CALLEE_OK, INBOUND, NUMBER_OK, OUTBOUND, Facts
from policies.number import inactive
from policies.params import only


class DirectionOutbound:
    """Inbound-only numbers presented as caller, 400 numbers among them."""

    id: ClassVar[str] = "direction-outbound"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = MEMORY
    answer: ClassVar[Answer] = Answer(403, "Forbidden", 21)

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params)

    def judge(self, facts: Facts) -> str | None:
        """Refuse an inbound-only number, and every number of an inbound-only trunk."""
        if facts.trunk_closed:
            return f"trunk {facts.trunk_closed} is inbound-only"
        return None if facts.range_outbound else "caller number is inbound-only"


class CalleeUnknown:
    """Inbound calls to a number in no range: there is nobody to deliver them to."""

    id: ClassVar[str] = "callee-unknown"
    binds: ClassVar[tuple[str, ...]] = (INBOUND,)
    needs: ClassVar[str] = MEMORY
    answer: ClassVar[Answer] = Answer(404, "Not Found", 1)

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params)

    def judge(self, facts: Facts) -> str | None:
        """Refuse a called number that is unreadable or in no range."""
        if facts.callee_status != CALLEE_OK:
            return f"called number {facts.callee_status}: {facts.callee_detail}"
        return None if facts.number_status == NUMBER_OK else "called number is in no range"


class DirectionInbound:
    """Inbound calls to a number that may not receive: outbound-only, or not in force (RULES A12, A18)."""

    id: ClassVar[str] = "direction-inbound"
    binds: ClassVar[tuple[str, ...]] = (INBOUND,)
    needs: ClassVar[str] = MEMORY
    answer: ClassVar[Answer] = Answer(404, "Not Found", 1)

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params)

    def judge(self, facts: Facts) -> str | None:
        """Refuse a called number that may not receive, or whose trunk may not."""
        if facts.trunk_closed:
            return f"trunk {facts.trunk_closed} is outbound-only"
        return inactive(facts) if facts.range_inbound else "called number is outbound-only"
