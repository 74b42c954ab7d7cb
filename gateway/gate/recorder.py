"""Writes decision records: what was decided, on which facts, under which versions (RULES Part 2e, proposed record)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from gateway.gate.attempt import CallAttempt
from gateway.gate.decision import ALLOW, REFUSE, Verdict
from gateway.gate.evidence import Evidence
from gateway.gate.pack import Pack
from gateway.gate.pseudonym import Pseudonymizer
from gateway.gate.records import DecisionRecord
from gateway.gate.seal import Sealer
from gateway.gate.sealed import sealed_content
from gateway.registry.model import Trunk
from gateway.registry.numbering import mask
from gateway.registry.registry import Registry
from gateway.sip.message import Request

MASKED_DIGITS: Final = 8
"""Last digits of a number that are looked for in tokens; shorter numbers are service codes, nobody's own."""


class Recorder:
    """Makes the records of one node. Subscriber numbers leave here hashed, masked or sealed only."""

    __slots__ = ("_node", "_pseudonymizer", "_sealer", "evidence")

    def __init__(self, node: str, evidence: Evidence, pseudonymizer: Pseudonymizer, sealer: Sealer) -> None:
        self._node = node
        self.evidence = evidence
        self._pseudonymizer = pseudonymizer
        self._sealer = sealer

    def party(self, attempt: CallAttempt) -> bytes:
        """The subscriber's keyed hash; empty where no number was read."""
        return self._pseudonymizer.hash(attempt.subscriber) if attempt.subscriber else b""

    def verdict(
        self,
        verdict: Verdict,
        pack: Pack,
        registry: Registry,
        source: str,
        party: bytes,
        decide_us: int,
        lookup_us: int,
    ) -> DecisionRecord:
        """The record of a verdict. `source`: `address:port/transport`; times in microseconds."""
        attempt = verdict.attempt
        request = attempt.request
        facts = attempt.facts
        if facts.number and facts.number == attempt.subscriber:
            facts = replace(facts, number=mask(facts.number))  # the callee's own number, presented as caller's
        answer = verdict.answer
        subscriber = attempt.subscriber
        return DecisionRecord(
            verdict.decision,
            int(facts.at * 1e6),
            self._node,
            attempt.trunk.id,
            attempt.direction,
            ALLOW if answer is None else REFUSE,
            verdict.rule,
            0 if answer is None else answer.status,
            verdict.reason,
            source,
            _without(request.call_id.decode("utf-8", "replace"), subscriber),
            _without(request.from_.tag.decode("ascii", "replace"), subscriber),
            "INVITE",
            facts.range_operator or facts.trunk_operator,
            facts.number,
            party.hex(),
            mask(subscriber) if subscriber else "",
            facts.route,
            pack.label,
            registry.version,
            verdict.shadow,
            decide_us,
            lookup_us,
            facts,
            self._sealer.encrypt(sealed_content(request, subscriber)),
            attempt.trunk.identified_by,
            attempt.trunk.agreement,
        )

    def refusal(
        self,
        rule: str,
        detail: str,
        status: int,
        request: Request,
        trunk: Trunk,
        direction: str,
        decision: str,
        pack: Pack,
        registry: Registry,
        source: str,
        at: float,
    ) -> DecisionRecord:
        """The record of a refusal that needed no facts: `method`, `dialog-forged` … `at`: epoch seconds."""
        return DecisionRecord(
            id=decision,
            at=int(at * 1e6),
            node=self._node,
            trunk=trunk.id,
            direction=direction,
            verdict=REFUSE,
            rule=rule,
            status=status,
            reason=detail,
            source=source,
            call_id=request.call_id.decode("utf-8", "replace"),
            from_tag=request.from_.tag.decode("ascii", "replace"),
            method=request.method.decode("ascii", "replace"),
            operator=trunk.operator,
            pack=pack.label,
            registry=registry.version,
            sealed=self._sealer.encrypt(sealed_content(request, "")),
            identified=trunk.identified_by,
            agreement=trunk.agreement,
        )


def _without(token: str, subscriber: str) -> str:
    """A token its sender made, with the subscriber's number masked in it: some exchanges make Call-IDs of numbers. The
    token as it was is in the sealed headers."""
    tail = subscriber[-MASKED_DIGITS:]
    return token.replace(tail, "*" * MASKED_DIGITS) if len(tail) == MASKED_DIGITS and tail in token else token
