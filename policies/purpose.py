"""A call's purpose must be one its number may be used for, and one the pack allows (RULES A06, A07)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from policies.base import MEMORY, Answer
from policies.facts import OUTBOUND, Facts
from policies.params import lists, only, words


class Purpose:
    """Purposes outside the range's filing, and purposes the pack forbids even with consent.

    Parameters: `forbidden`: purposes never allowed (default marketing, RULES A07); `allowed`: if not empty,
    the only purposes allowed; `barred`: purposes that operators of a class may not call for, as a table of lists
    (`call_centre = ["marketing"]`)."""

    id: ClassVar[str] = "purpose"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = MEMORY
    answer: ClassVar[Answer] = Answer(403, "Forbidden", 21)

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params, "allowed", "barred", "forbidden")
        self._allowed = words(params, "allowed", ())
        self._forbidden = words(params, "forbidden", ("marketing",))
        self._barred = lists(params, "barred")

    def judge(self, facts: Facts) -> str | None:
        """Refuse a call without an allowed purpose."""
        purpose = facts.purpose
        if not purpose:
            return f"no purpose: {facts.purpose_detail}" if facts.purpose_detail else "no purpose"
        if purpose not in facts.range_purposes:
            return f"purpose {purpose} not filed for range {facts.range_id}"
        if purpose in self._forbidden or (self._allowed and purpose not in self._allowed):
            return f"purpose {purpose} not allowed"
        if self._barred and purpose in self._barred.get(facts.operator_class, ()):
            return f"purpose {purpose} not allowed for operator class {facts.operator_class}"
        return None
