"""Callees who declined are not called, consent or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from policies.band import read_band
from policies.base import STORE, Answer
from policies.facts import OUTBOUND, Facts
from policies.params import only


class CalleeRefused:
    """Callees with a refusal that covers this call: all, its category, this caller or its prefix, this
    operator; at this time, where it has a time band."""

    id: ClassVar[str] = "callee-refused"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = STORE
    answer: ClassVar[Answer] = Answer(603, "Decline", 21)  # final everywhere: peers do not re-route (RFC 3261 §21.6.2)

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params)

    def judge(self, facts: Facts) -> str | None:
        """Refuse a callee who declined; the reason names the first refusal found that counts now."""
        for refusal in facts.refusals:
            if counts(refusal, facts.subscriber_minute):
                return f"callee declined: {refusal}"
        return None


def counts(refusal: str, minute: int) -> bool:
    """Whether one of `Facts.refusals` counts at a minute of the callee's week. A band that cannot be read counts."""
    _, _, written = refusal.partition(" @")
    if not written:
        return True
    band = read_band(written)
    return band is None or band.covers(minute)


def has_band(refusal: str) -> bool:
    """Whether one of `Facts.refusals` counts at some times only."""
    return " @" in refusal
