"""The rule chain: a pack compiled once into four short lists, then asked per call.

Rules on memory come first, in the pack's order; a call they refuse costs no round trip. Then, with the
store's facts, the rest. There is no default-allow: a pack lists every rule, a rule that raises refuses, and
a store rule without facts refuses unless the pack says `on_unavailable = "pass"`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gateway.gate.counting import CountPlan
from gateway.gate.ladder import ladder_of
from gateway.gate.pack import BoundRule, Pack
from policies.base import Answer
from policies.facts import CONSENT_UNREAD, INBOUND, OUTBOUND, Facts

STORE_UNAVAILABLE: Final = "store-unavailable"
RULE_FAILED: Final = "rule failed"
"""Reason of a refusal by a rule that raised. The exception goes to `on_error`, never onto the wire."""

WORD_OK: Final = "ok"
WORD_REFUSE: Final = "refuse"
WORD_WOULD_REFUSE: Final = "would refuse"
WORD_NOT_BOUND: Final = "not bound"
WORD_OFF: Final = "off"
WORD_WAITS: Final = "waits for the store"

OnError = Callable[[str, Exception], None]
Word = tuple[str, str, str, str, tuple[str, ...]]
"""(rule id, mode or the per cent of the trunk's calls it enforces on, word, reason, clauses)"""
Chain = tuple[tuple[Callable[[Facts], str | None], BoundRule], ...]
"""What is asked of each rule, and the rule."""


class Ruling:
    """A refusal: which rule, why (no subscriber number in it), what to answer; `error`: the rule raised."""

    __slots__ = ("answer", "error", "reason", "rule")

    def __init__(self, rule: str, reason: str, answer: Answer, error: bool = False) -> None:
        self.rule = rule
        self.reason = reason
        self.answer = answer
        self.error = error

    def __repr__(self) -> str:
        """For logs and tests; holds no subscriber number."""
        return f"Ruling({self.rule}: {self.reason}, {self.answer.status})"


def ignore(rule_id: str, error: Exception) -> None:
    """For engines whose errors nobody counts (explain)."""


class Engine:
    """One pack at work. Immutable; swapped whole with the registry.

    `on_error` is called with the rule id and the exception when a rule raises: to count and to log with
    traceback."""

    __slots__ = ("_memory", "_on_error", "_store", "counted", "ladder", "pack", "shared", "wants")

    def __init__(self, pack: Pack, on_error: OnError = ignore) -> None:
        self.pack = pack
        self._on_error = on_error
        self.shared = any(bound.percent for bound in pack.rules)
        """Some rule looks at `Facts.share`, which is worked out for such packs only."""
        self.wants = frozenset(
            want for bound in pack.rules if bound.mode != "off" for want in getattr(bound.rule, "wants", ())
        )
        """Facts that cost something and that some rule looks at (`policies.base.LOCAL_TIME`, `PATTERNS`)."""
        self.counted = CountPlan(pack)
        self.ladder = ladder_of(pack)
        """What closes steps by itself; None: nothing does."""
        self._memory = {direction: _chain(pack, direction, False) for direction in (OUTBOUND, INBOUND)}
        self._store = {direction: _chain(pack, direction, True) for direction in (OUTBOUND, INBOUND)}

    def judge_memory(self, facts: Facts, shadow: list[str]) -> Ruling | None:
        """The first refusal of the rules on memory, or None. Ids of shadow rules that would refuse are
        appended to `shadow`. KeyError for a direction that is none."""
        return self._judge(self._memory[facts.direction], facts, shadow)

    def needs_store(self, facts: Facts) -> bool:
        """True when a rule waits for the store's facts of such a call; False: the call may go on."""
        return bool(self._store[facts.direction])

    def judge_store(self, facts: Facts, shadow: list[str]) -> Ruling | None:
        """The first refusal of the rules on the store's facts, or None."""
        return self._judge(self._store[facts.direction], facts, shadow)

    def unavailable(self, facts: Facts, only: str = "", why: str = "") -> Ruling | None:
        """What happens to a call whose facts could not be had: a refusal as `store-unavailable` by the
        first rule that does not pass without them, or None. Shadow rules refuse nothing. `only`: it is the facts of
        this rule alone that could not be had, and `why`."""
        for _, bound in self._store[facts.direction]:
            if bound.on_unavailable == "refuse" and only in ("", bound.id) and bound.enforces(facts):
                reason = f"no facts for {bound.id}: {why}" if why else f"no facts for {bound.id}"
                return Ruling(STORE_UNAVAILABLE, reason, self.pack.answers[STORE_UNAVAILABLE])
        return None

    def trace(self, facts: Facts) -> list[Word]:
        """Every rule's word on these facts, in the pack's order (for `explain`): nothing is cut short.

        Store rules wait while the facts hold no consent status.
        """
        return [self._word(bound, facts) for bound in self.pack.rules]

    def _judge(self, chain: Chain, facts: Facts, shadow: list[str]) -> Ruling | None:
        for judge, bound in chain:
            try:
                reason = judge(facts)
                if reason is None:
                    continue
                if bound.refuses(facts):
                    return Ruling(bound.id, reason, bound.answer_to(facts))
            except Exception as error:
                self._on_error(bound.id, error)
                if bound.enforces(facts):
                    return Ruling(bound.id, RULE_FAILED, bound.answer, True)
            shadow.append(bound.id)
        return None

    def _word(self, bound: BoundRule, facts: Facts) -> Word:
        percent = bound.percent.get(facts.trunk)
        mode = bound.mode if percent is None else f"{percent} %"
        word, reason = self._said(bound, facts)
        return bound.id, mode, word, reason, bound.clauses

    def _said(self, bound: BoundRule, facts: Facts) -> tuple[str, str]:
        """A rule's word and its reason."""
        if bound.mode == "off":
            return WORD_OFF, ""
        if facts.direction not in bound.rule.binds:
            return WORD_NOT_BOUND, ""
        if bound.waits and facts.consent == CONSENT_UNREAD:
            return WORD_WAITS, ""
        try:
            reason = bound.rule.judge(facts)
        except Exception as error:
            self._on_error(bound.id, error)
            return WORD_REFUSE if bound.enforces(facts) else WORD_WOULD_REFUSE, RULE_FAILED
        if reason is None:
            return WORD_OK, ""
        return WORD_REFUSE if bound.refuses(facts) else WORD_WOULD_REFUSE, reason


def _chain(pack: Pack, direction: str, waits: bool) -> Chain:
    """Rules that are not off and bind this direction, in order."""
    return tuple(
        (bound.rule.judge, bound)
        for bound in pack.rules
        if bound.mode != "off" and bound.waits == waits and direction in bound.rule.binds
    )
