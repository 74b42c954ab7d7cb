"""Judges recorded decisions again, with the facts they were made on: what would another pack have said?

Nothing is revealed for it: a decision record holds every fact its rules saw, and no subscriber number. The share a call
falls into (`[rule.percent]`) comes from its decision id, so it is the same as it was, or would have been.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.gate.engine import Engine, Ruling
from gateway.gate.pack import Pack
from gateway.gate.pack_bind import share_of
from gateway.gate.pack_set import PackSet
from gateway.gate.records import DecisionRecord
from policies import RULES
from policies.facts import CONSENT_UNREAD, Facts

ALLOW = "allow"


class CannotTell(ValueError):
    """A recorded decision cannot be judged again; the text says why."""


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


def recorded_facts(record: DecisionRecord) -> Facts:
    """The facts a record was judged on, as they were then. Raises CannotTell."""
    if record.rule != ALLOW and record.rule not in RULES:
        raise CannotTell("not a matter of the rule chain")
    if record.facts is None:
        raise CannotTell("the record holds no facts")
    record.facts.share = share_of(record.id)
    return record.facts


def judge_again(engine: Engine, facts: Facts) -> Ruling | None:
    """The ruling on facts as a live call gets it. Raises CannotTell."""
    shadow: list[str] = []
    ruling = engine.judge_memory(facts, shadow)
    if ruling is None and engine.needs_store(facts):
        if facts.consent == CONSENT_UNREAD:
            raise CannotTell("the store was not asked then")
        ruling = engine.judge_store(facts, shadow)
    return ruling


def replay(engine: Engine, record: DecisionRecord) -> Replayed:
    """Judge `record` with the engine's pack. Shadow rules say nothing here."""
    try:
        ruling = judge_again(engine, recorded_facts(record))
    except CannotTell as why:
        return Replayed(record.id, record.rule, "", str(why))
    if ruling is None:
        return Replayed(record.id, record.rule, ALLOW, "")
    return Replayed(record.id, record.rule, ruling.rule, ruling.reason)


class Judges:
    """The packs that recorded decisions are judged by, each those it binds."""

    def __init__(self, packs: PackSet, only: str = "") -> None:
        """`only`: id of the pack that is tried; decisions of the others are left alone."""
        self._packs = packs
        self._only = only
        self._engines = {pack.id: Engine(pack) for pack in packs.packs}

    def replay(self, record: DecisionRecord) -> Replayed | None:
        """Judge again; None for a call that is not the tried pack's. A record without facts is of its trunk's pack."""
        facts = record.facts
        pack = self._packs.of(record.trunk, facts.operator_class if facts is not None else "")
        return None if self._only and pack.id != self._only else replay(self._engines[pack.id], record)


def tried(packs: PackSet | None, pack: Pack) -> PackSet:
    """The packs in force (None: there are none) with one put among them: it takes the place of its id, what it names is
    its own, and one that names nothing is the default."""
    if packs is None:
        return PackSet((pack,), pack, {}, {})
    others = [one for one in packs.packs if one.id != pack.id]
    default = pack if pack.binds.default or packs.default.id == pack.id else packs.default
    return PackSet(
        (*others, pack),
        default,
        {name: one for one in (*others, pack) for name in one.binds.trunks},
        {name: one for one in (*others, pack) for name in one.binds.classes},
    )
