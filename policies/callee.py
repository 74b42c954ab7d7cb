"""The callee of an outbound call must be one readable number, and the same one in Request-URI and To."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from policies.base import MEMORY, Answer
from policies.facts import CALLEE_MALFORMED, CALLEE_MISMATCH, OUTBOUND, Facts
from policies.params import only


class CalleeMalformed:
    """Callees that are no number of the plan: nobody could say whose consent to look for."""

    id: ClassVar[str] = "callee-malformed"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = MEMORY
    answer: ClassVar[Answer] = Answer(484, "Address Incomplete", 28)

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params)

    def judge(self, facts: Facts) -> str | None:
        """Refuse an unreadable callee."""
        if facts.callee_status != CALLEE_MALFORMED:
            return None
        return f"callee unreadable: {facts.callee_detail}" if facts.callee_detail else "callee unreadable"


class CalleeMismatch:
    """Callees altered by rn, ext or another To: the call would reach somebody else than the one who was
    checked."""

    id: ClassVar[str] = "callee-mismatch"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = MEMORY
    answer: ClassVar[Answer] = Answer(403, "Forbidden", 21)

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params)

    def judge(self, facts: Facts) -> str | None:
        """Refuse an altered callee."""
        if facts.callee_status != CALLEE_MISMATCH:
            return None
        return f"callee altered: {facts.callee_detail}" if facts.callee_detail else "callee altered"
