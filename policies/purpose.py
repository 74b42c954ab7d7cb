"""A call's purpose must be one its number may be used for, and one the pack allows (RULES A06, A07)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from policies.base import MEMORY, Answer
from policies.facts import OUTBOUND, Facts
from policies.params import only, words


class Purpose:
    """Purposes outside the range's filing, and purposes the pack forbids even with consent.

    Parameters: `forbidden`: purposes never allowed (default marketing, RULES A07); `allowed`: if not empty,
    the only purposes allowed."""

    id: ClassVar[str] = "purpose"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = MEMORY
    answer: ClassVar[Answer] = Answer(403, "Forbidden", 21)

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params, "allowed", "forbidden")
        self._allowed = words(params, "allowed", ())
        self._forbidden = words(params, "forbidden", ("marketing",))

    def judge(self, facts: Facts) -> str | None:
        """Refuse a call without an allowed purpose."""
        purpose = facts.purpose
        if not purpose:
            return "no purpose"
        if purpose not in facts.range_purposes:
            return f"purpose {purpose} not filed for range {facts.range_id}"
        if purpose in self._forbidden or (self._allowed and purpose not in self._allowed):
            return f"purpose {purpose} not allowed"
        return None
