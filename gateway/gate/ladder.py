"""The ladder of restrictions: violations that close a step by themselves, and what is closed (RULES A32, A26).

A refusal by a rule the pack names is a violation of its number, trunk and operator. It is counted in the store before
the answer leaves (`store.ports.CallCounters`); the N-th in a window restricts its step there, at once and for all
workers. What is restricted so is kept here, in memory, until the registry has it and after: `LiveRestrictions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.gate.pack import BoundRule, Pack
from gateway.store.ports import LiveRestriction, Step, Violation
from policies.facts import Facts
from policies.restricted import OperatorRestricted

NOTHING: Final[tuple[str, ...]] = ()


@dataclass(frozen=True, slots=True)
class Ladder:
    """One pack's."""

    bound: BoundRule
    violations: frozenset[str]
    """Ids of the rules whose refusals count."""
    steps: tuple[tuple[str, tuple[tuple[int, int], ...]], ...]
    """`number`, `trunk` or `operator`; count and seconds of its limits."""

    def violation(self, rule: str, decision: str, facts: Facts) -> Violation | None:
        """What a refusal of an outbound call counts for; None: for nothing. A number that is not in the registry is
        nobody's, and has no step."""
        if rule not in self.violations or not self.bound.enforces(facts):
            return None
        subjects = {
            "number": facts.number if facts.range_id and facts.range_operator == facts.trunk_operator else "",
            "trunk": facts.trunk,
            "operator": facts.trunk_operator,
        }
        steps = tuple([Step(kind, subjects[kind], limits) for kind, limits in self.steps if subjects[kind]])
        return Violation(decision, rule, facts.at, steps) if steps else None


def ladder_of(pack: Pack) -> Ladder | None:
    """The ladder a pack has, if any."""
    for bound in pack.rules:
        rule = bound.rule
        if bound.mode != "off" and isinstance(rule, OperatorRestricted) and rule.steps:
            steps = [(kind, tuple([(one.count, one.seconds) for one in limits])) for kind, limits in rule.steps]
            return Ladder(bound, rule.violations, tuple(steps))
    return None


class LiveRestrictions:
    """Of one worker: every restriction that the ladder has made and nobody has lifted."""

    __slots__ = ("_words", "changes", "entries", "generation")

    def __init__(self) -> None:
        self.entries: Mapping[tuple[str, str], LiveRestriction] = {}
        self._words: dict[tuple[str, str], str] = {}
        self.generation = 0
        """Of the store's state that is held here."""
        self.changes = 0
        """Times it became another."""

    def put(self, entries: Mapping[tuple[str, str], LiveRestriction], generation: int) -> None:
        """The store's state at a generation, by kind and subject."""
        self.generation = generation
        if entries != self.entries:
            self.entries = entries
            self._words = {key: f"{key[0]} {key[1]} restricted: {one.reason}" for key, one in entries.items()}
            self.changes += 1

    def of(self, facts: Facts) -> tuple[str, ...]:
        """Those that meet an outbound call and do not stand in its facts: of its operator, trunk, number."""
        words = self._words
        if not words:
            return NOTHING
        keys = (("operator", facts.trunk_operator), ("trunk", facts.trunk), ("number", facts.number))
        return tuple([found for key in keys if (found := words.get(key)) and found not in facts.restrictions])
