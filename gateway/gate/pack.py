"""A rule pack at work: the rules in order, each with its mode, answer, parameters and what to do without facts.

`pack_read` reads it from a TOML file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gateway.gate.pack_bind import Binds
from policies.base import STORE, Answer, Rule
from policies.facts import Facts


class PackError(ValueError):
    """A pack is wrong. `problems`: one line each, naming file, line, key, value and fix."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class BoundRule:
    """One rule as a pack has it."""

    id: str
    rule: Rule
    mode: str
    """`enforce`, `shadow` (judged and counted, never refuses) or `off`."""
    answer: Answer
    on_unavailable: str
    """`refuse` or `pass`: what a store rule does when its facts could not be had."""
    clauses: tuple[str, ...] = ()
    """What it stands for, in the texts the pack follows (`config/packs/README.md`)."""
    percent: Mapping[str, int] = field(default_factory=dict)
    """Trunk to the share of its calls, 0..100, that the rule enforces on; it is in shadow on the rest."""

    @property
    def waits(self) -> bool:
        """True when the rule needs the store's facts."""
        return self.rule.needs == STORE

    def enforces(self, facts: Facts) -> bool:
        """True when the rule refuses such a call, rather than being counted."""
        if self.percent:
            share = self.percent.get(facts.trunk)
            if share is not None:
                return facts.share < share
        return self.mode == "enforce"

    def refuses(self, facts: Facts) -> bool:
        """True when what the rule had against such a call refuses it: some rules only mark a call (`softens`)."""
        softens = getattr(self.rule, "softens", None)
        return self.enforces(facts) and not (softens is not None and softens(facts))

    def answer_to(self, facts: Facts) -> Answer:
        """The answer to a call it refuses, with the seconds to wait where the rule knows them (`retry_after`)."""
        retry_after = getattr(self.rule, "retry_after", None)
        return self.answer if retry_after is None else replace(self.answer, retry_after=retry_after(facts))


@dataclass(frozen=True, slots=True)
class Pack:
    """One version of the rules. Immutable."""

    id: str
    version: int
    title: str
    rules: tuple[BoundRule, ...]
    answers: Mapping[str, Answer]
    """Answers by id, of the rules and of the refusals outside the chain."""
    sha: str
    """SHA-256 of the text, hex."""
    binds: Binds = field(default_factory=Binds)
    """The calls it judges."""
    label: str = field(init=False)
    """`id@version`, as decision records name it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", f"{self.id}@{self.version}")

    def answer(self, refusal: str, overrides: tuple[tuple[str, int, str], ...] = ()) -> Answer:
        """The answer of a refusal id; `overrides` are the trunk's own (`Trunk.answers`). KeyError for an
        unknown id."""
        return trunk_answer(refusal, self.answers[refusal], overrides)


def trunk_answer(refusal: str, answer: Answer, overrides: tuple[tuple[str, int, str], ...]) -> Answer:
    """The answer with the trunk's own status and phrase, where the trunk has them."""
    for rule_id, status, phrase in overrides:
        if rule_id == refusal:
            return replace(answer, status=status, phrase=phrase)
    return answer
