"""A return visit answers something the callee did: a call of theirs, a transaction (RULES A06, trigger)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from policies.base import STORE, Answer
from policies.facts import OUTBOUND, Facts
from policies.limits import seconds
from policies.params import only, words

RECORDED = ("answered", "attempted", "none")


class ReturnVisit:
    """Return visits without a trigger of this callee for this operator in the window.

    Parameters: `purposes` that need one (default return_visit); `within_s`: the window, seconds (default 86400, ours:
    the clause says "instant"); `inbound`: what of the callee's own calls is a trigger: `answered` (default), also one
    that was only `attempted`, or `none` (triggers come by the API alone)."""

    id: ClassVar[str] = "return-visit"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = STORE
    answer: ClassVar[Answer] = Answer(403, "Forbidden", 21)

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params, "purposes", "within_s", "inbound")
        self.purposes = words(params, "purposes", ("return_visit",))
        self.within_s = seconds(params, "within_s", 86_400)
        inbound = params.get("inbound", RECORDED[0])
        if not isinstance(inbound, str) or inbound not in RECORDED:
            raise ValueError(f"inbound: {inbound!r}: write one of {', '.join(RECORDED)}")
        self.inbound = inbound

    def looks_at(self, purpose: str) -> bool:
        """Does a call of this purpose need a trigger?"""
        return purpose in self.purposes

    def judge(self, facts: Facts) -> str | None:
        """Refuse a return visit that nothing led to."""
        if not self.looks_at(facts.purpose):
            return None
        counted = facts.counted
        if counted is None:
            return "trigger not read"
        age = counted.trigger_age_ms
        if age < 0:
            return "no trigger"
        return None if age <= self.within_s * 1000 else f"last trigger {age // 1000} s ago, window {self.within_s} s"
