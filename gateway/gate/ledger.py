"""Every verdict of one worker: counted, recorded, and withdrawn where its record cannot be written (DESIGN §7)."""

from __future__ import annotations

from gateway.gate.decision import ALLOW, REFUSE, Verdict
from gateway.gate.following import Following
from gateway.gate.lines import Lines
from gateway.gate.pack import Pack
from gateway.gate.recorder import Recorder
from gateway.gate.waiting import Counts, Waiting
from gateway.registry.model import Trunk
from gateway.registry.registry import Registry
from gateway.sip.message import Request
from policies.base import Answer
from policies.facts import INBOUND, OUTBOUND


class Ledger:
    """`at` is epoch seconds everywhere."""

    __slots__ = ("_counts", "_following", "_lines", "_recorder", "_required", "evidence")

    def __init__(
        self,
        recorder: Recorder,
        counts: Counts,
        required: bool,
        lines: Lines | None,
        following: Following | None,
    ) -> None:
        """`required`: a call without evidence is not placed. `lines`, `following`: told of a call that is withdrawn."""
        self._recorder = recorder
        self.evidence = recorder.evidence
        self._counts = counts
        self._required = required
        self._lines = lines
        self._following = following

    def verdict(self, waiting: Waiting, verdict: Verdict, elapsed: float) -> None:
        """A verdict was reached, `elapsed` seconds after its INVITE came."""
        counts = self._counts
        for rule in verdict.shadow:
            counts.shadow[rule] = counts.shadow.get(rule, 0) + 1
        counts.decision.observe(elapsed)
        attempt = verdict.attempt
        if verdict.answer is None or not self._flooded(
            waiting.source, attempt.trunk.id, verdict.rule, verdict.answer.status, attempt.facts.at
        ):
            self.evidence.decision(self._record(waiting, verdict, elapsed))

    def refusal(
        self,
        rule: str,
        detail: str,
        status: int,
        request: Request,
        trunk: Trunk,
        decision: str,
        pack: Pack,
        registry: Registry,
        source: str,
        at: float,
    ) -> None:
        """The proxy refused by itself (`Gate.refuse`)."""
        direction = OUTBOUND if trunk.side == "access" else INBOUND
        self._count(trunk.id, direction, False, rule)
        if not self._flooded(source, trunk.id, rule, status, at):
            record = self._recorder.refusal(
                rule, detail, status, request, trunk, direction, decision, pack, registry, source, at
            )
            self.evidence.keep(self.evidence.encode(record))

    def commit(self, ready: list[Waiting], at: float) -> None:
        """Write the records of this turn, in which the verdicts of `ready` were reached."""
        if not self.evidence.commit(at):
            self._counts.journal_errors += 1
            self._without_evidence(ready)
        for waiting in ready:
            verdict = waiting.verdict
            if verdict is not None and not waiting.repeated:
                attempt = verdict.attempt
                self._count(attempt.trunk.id, attempt.direction, verdict.allowed, verdict.rule)

    def unsynced(self, ready: list[Waiting], at: float) -> None:
        """See `Gate.unsynced`."""
        for waiting in ready:
            verdict = waiting.verdict
            if verdict is None or not verdict.allowed or waiting.repeated:
                continue
            if self._required and not verdict.attempt.emergency:
                status = self._withdraw(waiting, verdict).status
                self.evidence.outcome(verdict.decision, at, "failed", status, "")

    def _without_evidence(self, ready: list[Waiting]) -> None:
        """DESIGN §7, disk full: a call without evidence is not placed; an emergency call is, its record kept in
        memory. Refusals are counted, and recorded together when the disk takes records again."""
        for waiting in ready:
            verdict = waiting.verdict
            if verdict is None or waiting.repeated:
                continue
            answer = verdict.answer
            if answer is None and (verdict.attempt.emergency or not self._required):
                self.evidence.keep(self._record(waiting, verdict, 0.0))
                continue
            rule = verdict.rule
            if answer is None:
                answer, rule = self._withdraw(waiting, verdict), "overload"
            source = waiting.source.rpartition(":")[0]
            self.evidence.unrecorded(source, verdict.attempt.trunk.id, rule, answer.status)

    def _withdraw(self, waiting: Waiting, verdict: Verdict) -> Answer:
        answer = waiting.engine.pack.answer("overload", verdict.attempt.trunk.answers)
        waiting.verdict = Verdict(
            verdict.attempt, verdict.decision, "overload", "evidence cannot be written", answer, verdict.shadow
        )
        if self._lines is not None:
            self._lines.give_back(waiting, verdict.decision)
        if self._following is not None:
            self._following.withdrawn(waiting, verdict.decision)
        return answer

    def _record(self, waiting: Waiting, verdict: Verdict, elapsed: float) -> bytes:
        record = self._recorder.verdict(
            verdict,
            waiting.engine.pack,
            waiting.registry,
            waiting.source,
            waiting.party,
            int(elapsed * 1e6),
            waiting.lookup_us,
        )
        return self.evidence.encode(record)

    def _count(self, trunk: str, direction: str, allowed: bool, rule: str) -> None:
        key = (trunk, direction, ALLOW if allowed else REFUSE, rule)
        self._counts.calls[key] = self._counts.calls.get(key, 0) + 1

    def _flooded(self, source: str, trunk: str, rule: str, status: int, at: float) -> bool:
        return self.evidence.flooded(source.rpartition(":")[0], trunk, rule, status, at)
