"""Decisions of a worker that died: a retransmitted INVITE is the same call, and gets the same verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from gateway.gate.attempt import CallAttempt
from gateway.gate.decision import ALLOW, Verdict
from gateway.gate.pack import Pack, trunk_answer

RECOVERY_SECONDS: Final = 64.0
"""How long decisions of a worker that died are remembered: twice the time a caller retransmits an INVITE (64*T1)."""

Known = tuple[str, str, int]
"""Verdict, rule, status."""


class Recovered:
    """What was read back from the journal at start. `now` is monotonic seconds."""

    __slots__ = ("_until", "decisions")

    def __init__(self) -> None:
        self.decisions: dict[str, Known] = {}
        """By decision id."""
        self._until = 0.0

    def add(self, decisions: dict[str, Known], now: float) -> None:
        """Decisions that are in the journal already."""
        self.decisions = {**self.decisions, **decisions}
        self._until = now + RECOVERY_SECONDS

    def take(self, decision: str, now: float) -> Known | None:
        """What was decided, told once; None: nothing is known of it."""
        if not self.decisions:
            return None
        if now > self._until:
            self.decisions = {}
            return None
        return self.decisions.pop(decision, None)


def verdict_again(attempt: CallAttempt, decision: str, known: Known, pack: Pack) -> Verdict:
    """The recorded verdict, worded by the pack in force now."""
    word, rule, status = known
    answer = None
    if word != ALLOW:
        answers = pack.answers
        answer = trunk_answer(rule, answers.get(rule, answers["overload"]), attempt.trunk.answers)
        answer = replace(answer, status=status)
    return Verdict(attempt, decision, rule, "", answer, ())
