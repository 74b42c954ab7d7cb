"""Judges recorded decisions again, with the facts they were made on: what would another pack have said?

Nothing is revealed for it: a decision record holds every fact its rules saw, and no subscriber number.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.gate.engine import Engine
from gateway.gate.records import DecisionRecord
from policies import RULES
from policies.facts import CONSENT_UNREAD

ALLOW = "allow"


@dataclass(frozen=True, slots=True)
class Replayed:
    """One decision judged again."""

    id: str
    was: str
    """Rule that decided then; `allow` for none."""
    now: str
    """Rule that decides now; `allow` for none; empty where the record cannot tell."""
    reason: str
    """Why now, or why it cannot be told."""

    @property
    def differs(self) -> bool:
        """True when the verdict or its rule would be another."""
        return bool(self.now) and self.now != self.was


def replay(engine: Engine, record: DecisionRecord) -> Replayed:
    """Judge `record` with the engine's pack. Shadow rules say nothing here."""
    if record.rule != ALLOW and record.rule not in RULES:
        return Replayed(record.id, record.rule, "", "not a matter of the rule chain")
    facts = record.facts
    if facts is None:
        return Replayed(record.id, record.rule, "", "the record holds no facts")
    shadow: list[str] = []
    ruling = engine.judge_memory(facts, shadow)
    if ruling is None and engine.needs_store(facts):
        if facts.consent == CONSENT_UNREAD:
            return Replayed(record.id, record.rule, "", "the store was not asked then")
        ruling = engine.judge_store(facts, shadow)
    if ruling is None:
        return Replayed(record.id, record.rule, ALLOW, "")
    return Replayed(record.id, record.rule, ruling.rule, ruling.reason)
