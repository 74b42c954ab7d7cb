"""Callees who declined are not called, consent or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from policies.base import STORE, Answer
from policies.facts import OUTBOUND, Facts
from policies.params import only


class CalleeRefused:
    """Callees with a refusal that covers this call: all, its category, this caller or its prefix, this
    operator."""

    id: ClassVar[str] = "callee-refused"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = STORE
    answer: ClassVar[Answer] = Answer(603, "Decline", 21)  # final everywhere: peers do not re-route (RFC 3261 §21.6.2)

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params)

    def judge(self, facts: Facts) -> str | None:
        """Refuse a callee who declined; the reason names the first refusal found."""
        return f"callee declined: {facts.refusals[0]}" if facts.refusals else None
