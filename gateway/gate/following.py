"""What the store's counters are to know of calls after their question: that one was refused after it was counted, how
one ended, that a callee called an operator itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.gate.decision import Verdict
from gateway.gate.waiting import Waiting
from gateway.store.ports import CallCounters
from policies.cooldown import RESULTS, result_of
from policies.facts import OUTBOUND
from policies.trigger import ReturnVisit

MAX_FOLLOWED: Final = 100_000
"""Calls in set-up whose result is to be noted: as many as ring for three minutes at 500 calls/s."""

NO_SILENCE: Final = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Followed:
    """A call whose result is to be noted: for silence (seconds by `policies.cooldown.RESULTS`), or as a trigger."""

    party: bytes
    operator: int
    silence: tuple[int, int, int]
    trigger_s: int


class Following:
    """Of one worker."""

    __slots__ = ("_calls", "_counters")

    def __init__(self, counters: CallCounters) -> None:
        self._counters = counters
        self._calls: dict[str, Followed] = {}

    def __len__(self) -> int:
        """Calls whose result is waited for."""
        return len(self._calls)

    def verdict(self, waiting: Waiting, verdict: Verdict, visit: ReturnVisit | None) -> None:
        """A verdict was reached. `visit`: of an inbound call, what its operator's pack says of return visits."""
        if not waiting.party:
            return
        if not verdict.allowed:
            self.withdrawn(waiting, verdict.decision)
            return
        attempt = verdict.attempt
        facts = attempt.facts
        if attempt.emergency:
            return
        if attempt.direction == OUTBOUND:
            silence = waiting.engine.counted.cool_down
            if silence is not None and waiting.operator and silence.looks_at(facts.purpose):
                self._remember(verdict.decision, Followed(waiting.party, waiting.operator, silence.spans, 0))
            return
        operator = waiting.registry.operator(facts.range_operator) if visit is not None else None
        if visit is None or operator is None:
            return
        if visit.inbound == "attempted":
            self._counters.note_trigger(waiting.party, operator.number, facts.at, visit.within_s)
        elif visit.inbound == "answered":
            self._remember(verdict.decision, Followed(waiting.party, operator.number, NO_SILENCE, visit.within_s))

    def withdrawn(self, waiting: Waiting, decision: str) -> None:
        """The call does not go on: if it was counted, or may have been, it is not."""
        self._calls.pop(decision, None)
        counting = waiting.counting
        if counting is not None and waiting.counted:
            self._counters.release(waiting.party, waiting.operator, counting.decision)
            waiting.counted = False

    def outcome(self, decision: str, result: str, status: int, at: float) -> None:
        """How the set-up of a call that went on ended. `at`: epoch seconds; the rest as evidence records it."""
        followed = self._calls.pop(decision, None) if self._calls else None
        if followed is None:
            return
        if result == "answered":
            if followed.trigger_s:
                self._counters.note_trigger(followed.party, followed.operator, at, followed.trigger_s)
            return
        found = result_of(result, status)
        if found:
            span = followed.silence[RESULTS.index(found)]
            if span:
                self._counters.note_result(followed.party, followed.operator, found, at, span)

    def _remember(self, decision: str, followed: Followed) -> None:
        if len(self._calls) >= MAX_FOLLOWED:
            del self._calls[next(iter(self._calls))]
        self._calls[decision] = followed
