"""The registry alone chooses where a call goes: no forced routes, no transfers from inside a message
(DESIGN §5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from policies.base import MEMORY, Answer
from policies.facts import INBOUND, OUTBOUND, Facts
from policies.params import only


class RouteForced:
    """Messages that try to choose their own target: Route beyond ours, maddr, URI headers, a foreign host."""

    id: ClassVar[str] = "route-forced"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND, INBOUND)
    needs: ClassVar[str] = MEMORY
    answer: ClassVar[Answer] = Answer(403, "Forbidden", 21)

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params)

    def judge(self, facts: Facts) -> str | None:
        """Refuse a forced route."""
        return f"target chosen by {facts.forced_route}" if facts.forced_route else None


class Transfer:
    """Messages that replace, join or transfer a call: the new party would be one nobody checked (RULES Part
    2(d) form 21)."""

    id: ClassVar[str] = "transfer"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND, INBOUND)
    needs: ClassVar[str] = MEMORY
    answer: ClassVar[Answer] = Answer(403, "Forbidden", 21)

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params)

    def judge(self, facts: Facts) -> str | None:
        """Refuse a transfer."""
        return f"call transferred by {facts.transfer}" if facts.transfer else None
