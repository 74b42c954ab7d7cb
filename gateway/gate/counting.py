"""What a pack has counted: the demand of a call on the store's counters, made once for all calls like it.

A pack without a rule that counts asks for nothing here, and its calls keep the two plain commands.
"""

from __future__ import annotations

from typing import Final, TypeVar

from gateway.gate.pack import BoundRule, Pack
from gateway.store.ports import Counting, CountSpec, Tally
from policies.consent import ConsentMissing
from policies.cooldown import CoolDown
from policies.facts import Counted, Facts
from policies.frequency import Frequency
from policies.limits import Limit
from policies.refusal import CalleeRefused
from policies.trigger import ReturnVisit

R = TypeVar("R", Frequency, CoolDown, ReturnVisit)

# Flags of the script: `gateway.store.redis.counters` has the same, and a test that they are.
CONSENT: Final = 1
REFUSALS: Final = 2
SILENCE: Final = 4
TRIGGER: Final = 8
PURPOSE: Final = 16
COUNT: Final = 32

MAX_SPECS: Final = 256
"""Kinds of calls a plan is remembered for."""


class CountPlan:
    """One pack's. Immutable but for what it remembers of calls like those before."""

    __slots__ = ("_consent", "_cool_down", "_frequency", "_refused", "_specs", "_visit", "cool_down", "visit")

    def __init__(self, pack: Pack) -> None:
        rules = {bound.id: bound for bound in pack.rules if bound.mode != "off"}
        self._consent = rules.get(ConsentMissing.id)
        self._refused = rules.get(CalleeRefused.id)
        self._frequency = rules.get(Frequency.id)
        self._cool_down = rules.get(CoolDown.id)
        self._visit = rules.get(ReturnVisit.id)
        self.cool_down = _rule(self._cool_down, CoolDown)
        """Says which results of calls are to be noted; None: none are."""
        self.visit = _rule(self._visit, ReturnVisit)
        """Says what is a trigger; None: nothing is."""
        self._specs: dict[tuple[str, int], CountSpec | None] = {}

    def spec(self, facts: Facts) -> CountSpec | None:
        """What to count of an outbound call; None: nothing."""
        if self._frequency is None and self._cool_down is None and self._visit is None:
            return None
        flags = PURPOSE | COUNT
        for bound, flag in (
            (self._consent, CONSENT), (self._refused, REFUSALS), (self._cool_down, SILENCE), (self._visit, TRIGGER),
        ):  # fmt: skip
            if bound is not None and bound.enforces(facts):
                flags |= flag
        key = (facts.purpose, flags)
        if key not in self._specs:
            if len(self._specs) >= MAX_SPECS:  # a trunk may state any purpose where no rule looks
                self._specs.clear()
            self._specs[key] = self._make(facts.purpose, flags)
        return self._specs[key]

    def _make(self, purpose: str, flags: int) -> CountSpec | None:
        frequency = _rule(self._frequency, Frequency)
        silence, visit = self.cool_down, self.visit
        callee: tuple[Limit, ...] = ()
        operator: tuple[Limit, ...] = ()
        if frequency is not None and frequency.looks_at(purpose):
            callee, operator = frequency.callee, frequency.operator
        if silence is None or not silence.looks_at(purpose):
            silence, flags = None, flags & ~SILENCE
        if visit is None or not visit.looks_at(purpose):
            visit, flags = None, flags & ~TRIGGER
        if not callee and not operator:
            flags &= ~COUNT
            if silence is None and visit is None:
                return None
        limits = [number for limit in (*callee, *operator) for number in (limit.count, limit.seconds * 1000)]
        spans = (0, 0, 0) if silence is None else silence.spans
        keep = max([limit.seconds for limit in (*callee, *operator)], default=0)
        within = 0 if visit is None else visit.within_s
        numbers = (keep, *spans, within)
        return CountSpec(
            flags,
            (numbers[0] * 1000, len(callee), len(operator), *[second * 1000 for second in numbers[1:]], *limits),
        )


def counted_facts(tally: Tally) -> Counted:
    """The store's word as a fact."""
    return Counted(
        tally.callee_ages_ms, tally.operator_ages_ms, tally.result_ages_ms, tally.trigger_age_ms, tally.since_ms
    )


def waits_for_judgement(counting: Counting | None, tally: Tally | None) -> bool:
    """Was the call not counted yet, because the script left a scoped refusal to the rules?"""
    if counting is None or counting.judged or counting.dry or not counting.spec.flags & COUNT:
        return False
    return tally is not None and not tally.counted


def _rule(bound: BoundRule | None, kind: type[R]) -> R | None:
    return bound.rule if bound is not None and isinstance(bound.rule, kind) else None
