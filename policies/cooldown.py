"""Silence after a call that was declined or came to nothing (RULES Part 2(b): France, 60 days after a refusal)."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import ClassVar

from policies.base import STORE, Answer
from policies.facts import OUTBOUND, Facts
from policies.limits import seconds
from policies.params import only, words


class CoolDown:
    """Callees whom this operator called a short while ago without success.

    Parameters, in seconds, 0 = no silence: `declined_s` after the callee's own refusal (603, 607), `busy_s` (486, 600),
    `unanswered_s` (408, 480, a call given up or not answered in time); `purposes`: the calls it looks at (empty: all).
    """

    id: ClassVar[str] = "cool-down"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = STORE
    answer: ClassVar[Answer] = Answer(603, "Decline", 21)  # Retry-After: `retry_after`

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params, "declined_s", "busy_s", "unanswered_s", "purposes")
        self.declined_s = seconds(params, "declined_s")
        self.busy_s = seconds(params, "busy_s")
        self.unanswered_s = seconds(params, "unanswered_s")
        self.purposes = words(params, "purposes", ())

    @property
    def spans(self) -> tuple[int, int, int]:
        """Seconds of silence, in the order of `RESULTS`."""
        return (self.declined_s, self.busy_s, self.unanswered_s)

    def looks_at(self, purpose: str) -> bool:
        """Is silence kept for calls of this purpose?"""
        return not self.purposes or purpose in self.purposes

    def judge(self, facts: Facts) -> str | None:
        """Refuse while the silence lasts."""
        if not any(self.spans) or not self.looks_at(facts.purpose):
            return None
        counted = facts.counted
        if counted is None:
            return "earlier results not read"
        for result, span, age in zip(RESULTS, self.spans, counted.result_ages_ms, strict=True):
            if 0 <= age < span * 1000:
                return f"{result} by this callee {age // 1000} s ago, silence for {span} s"
        return None

    def retry_after(self, facts: Facts) -> int:
        """Seconds until the silence ends; 0: not known."""
        counted = facts.counted
        if counted is None:
            return 0
        left = [span * 1000 - age for span, age in zip(self.spans, counted.result_ages_ms, strict=True) if age >= 0]
        return ceil(max([0, *left]) / 1000)


RESULTS = ("declined", "busy", "unanswered")
_BY_STATUS = {603: "declined", 607: "declined", 486: "busy", 600: "busy", 408: "unanswered", 480: "unanswered"}


def result_of(outcome: str, status: int) -> str:
    """Which of `RESULTS` a call came to, or empty. `outcome`: as evidence records it; `status`: the final answer's."""
    if outcome in ("cancelled", "timeout"):
        return "unanswered"
    return _BY_STATUS.get(status, "") if outcome == "failed" else ""
