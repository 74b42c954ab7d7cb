"""Numbers are used where and for what their kind is meant (RULES B02, A25)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from policies.base import MEMORY, Answer
from policies.facts import OUTBOUND, Facts
from policies.params import lists, only, words

NEVER: Final = ("sms_port", "shared_cost_inbound", "freephone_inbound", "emergency")
"""Kinds that are never voice callers, whatever a certificate says: codes for messages, 400 and 800 numbers, 110."""
PROVINCIAL: Final = ("provincial_short",)
"""Kinds that are assigned for one province: 96XXX."""


class NumberScope:
    """Codes for messages and inbound-only kinds as callers, and provincial codes outside their province.

    Parameters: `never`: kinds of the numbering plan that are no voice callers; `provincial`: kinds that are used in
    the regions of their certificate only (the range's `regions`): on trunks connected there, and where `provinces`
    lists the plan's regions of each (`Zhejiang = ["Hangzhou", ...]`), to callees known to be there."""

    id: ClassVar[str] = "number-scope"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = MEMORY
    answer: ClassVar[Answer] = Answer(403, "Forbidden", 21)

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params, "never", "provincial", "provinces")
        self._never = words(params, "never", NEVER)
        self._provincial = words(params, "provincial", PROVINCIAL)
        provinces = lists(params, "provinces")
        self._province_of = {region: province for province, regions in provinces.items() for region in regions}

    def judge(self, facts: Facts) -> str | None:
        """Refuse a number outside its scope."""
        kind = facts.number_kind
        if kind in self._never:
            return f"a number of kind {kind} is never a voice caller"
        if kind not in self._provincial:
            return None
        if not facts.range_regions:
            return f"range {facts.range_id} states no region, and a number of kind {kind} is of one"
        held = ", ".join(facts.range_regions)
        if facts.trunk_region not in facts.range_regions:
            return f"number of {held} on a trunk of {facts.trunk_region or 'no stated region'}"
        called = self._province_of.get(facts.subscriber_region, "")
        if called and called not in facts.range_regions:
            return f"number of {held} calls into {called}"
        return None
