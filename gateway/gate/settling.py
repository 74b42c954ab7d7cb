"""From a ruling to a verdict: what must be known before it is told, and what is done when it is reached.

A violation is counted first, and a call that the rules let pass waits until it is known whether there is a channel for
it. Then the verdict is recorded (`ledger`) and ready to be delivered at the end of the turn.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from gateway.gate.attempt import CallAttempt
from gateway.gate.decision import ALLOW, EMERGENCY, Verdict
from gateway.gate.engine import Ruling
from gateway.gate.following import Following
from gateway.gate.in_force import InForce
from gateway.gate.ledger import Ledger
from gateway.gate.lines import Lines
from gateway.gate.pack import trunk_answer
from gateway.gate.waiting import NOT_ASKED, Waiting
from gateway.store.ports import CallCounters
from policies.facts import INBOUND, OUTBOUND


class Settling:
    """Of one worker."""

    __slots__ = (
        *("_clock", "_counters", "_following", "_in_force", "_ledger", "_lines", "_wake"),
        *("parked", "ready"),
    )

    def __init__(
        self,
        ledger: Ledger,
        in_force: InForce,
        counters: CallCounters | None,
        lines: Lines | None,
        following: Following | None,
        clock: Callable[[], float],
        wake: Callable[[], None],
    ) -> None:
        """As `Gate`."""
        self._ledger = ledger
        self._in_force = in_force
        self._counters = counters
        self._lines = lines
        self._following = following
        self._clock = clock
        self._wake = wake
        self.parked = 0
        """Attempts that wait for the store."""
        self.ready: list[Waiting] = []
        """Whose verdict was reached in this turn."""

    def ruled(self, waiting: Waiting, attempt: CallAttempt, decision: str, ruling: Ruling | None) -> None:
        """The rules have spoken. A refusal that counts against its number, trunk and operator is counted before it is
        told (RULES A32)."""
        ladder = waiting.engine.ladder
        if ruling is not None and ladder is not None and attempt.direction == OUTBOUND and self._counters is not None:
            violation = ladder.violation(ruling.rule, decision, attempt.facts)
            if violation is not None:
                self.parked += 1
                self._counters.violated(violation, partial(self._counted, waiting, attempt, decision, ruling))
                return
        self.settle(waiting, attempt, decision, ruling)

    def _counted(self, waiting: Waiting, attempt: CallAttempt, decision: str, ruling: Ruling) -> None:
        self.parked -= 1
        self.settle(waiting, attempt, decision, ruling)

    def _channels_known(self, waiting: Waiting, attempt: CallAttempt, decision: str) -> None:
        self.parked -= 1
        self.settle(waiting, attempt, decision, None)

    def settle(self, waiting: Waiting, attempt: CallAttempt, decision: str, ruling: Ruling | None) -> None:
        """Make it a verdict. `ruling`: None: the call may pass, if there is a way for it."""
        if ruling is None and waiting.channels is None:
            self.parked += 1
            waiting.unsettled = partial(self._channels_known, waiting, attempt, decision)
            return
        if ruling is None and waiting.channels not in ("", NOT_ASKED):
            why = waiting.channels or ""
            ruling = Ruling("trunk-capacity", why, waiting.engine.pack.answers["trunk-capacity"])
        if ruling is None and not attempt.routes:
            # Every trunk it could leave by is suspended. Q.850 34, no circuit: the caller's number is not at fault.
            ruling = Ruling("trunk-capacity", "no active trunk", waiting.engine.pack.answers["trunk-capacity"])
        if ruling is None:
            rule = EMERGENCY if attempt.emergency else ALLOW
            verdict = Verdict(attempt, decision, rule, "", None, tuple(waiting.shadow))
        else:
            answer = trunk_answer(ruling.rule, ruling.answer, attempt.trunk.answers)
            verdict = Verdict(attempt, decision, ruling.rule, ruling.reason, answer, tuple(waiting.shadow))
        waiting.verdict = verdict
        if self._lines is not None and not verdict.allowed:
            self._lines.give_back(waiting, decision)
        if self._following is not None:
            visit = self._in_force.visit_to(attempt) if attempt.direction == INBOUND else None
            self._following.verdict(waiting, verdict, visit)
        self._ledger.verdict(waiting, verdict, self._clock() - waiting.received_at)
        self.deliver_soon(waiting)  # after the record: a verdict that could not be recorded is not delivered

    def deliver_soon(self, waiting: Waiting) -> None:
        """It has its verdict, which is told at the end of the turn."""
        self.ready.append(waiting)
        self._wake()
