"""Calls that are counted: what the gate asks, when it asks again, what it takes back, and what it waits for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from gateway.gate import counting as plan
from gateway.gate.pack import Pack
from gateway.gate.pack_read import load_pack
from gateway.store.ports import (
    LiveRestriction,
    ScopedRefusal,
    SubscriberFacts,
    Tally,
    TrunkLimit,
    Unavailable,
    Violation,
)
from gateway.store.redis import counters
from policies.facts import CONSENT_LIVE
from tests.unit.gate.calls import ALPHA, invite, registry
from tests.unit.gate.house import CONSENT, HIDDEN, House
from tests.unit.gate.test_pack import EXAMPLE

FREQUENT = '[[rule]]\nid = "frequency"\n[rule.params]\ncallee = [{ count = 3, seconds = 300 }]\n'
LADDER = 'violations = ["consent-missing", "caller-hidden"]\noperator = [{ count = 2, seconds = 60 }]\n'
COUNTED = Tally(True)


def pack(*changed: str) -> Pack:
    """The example's, with rules written anew."""
    text = EXAMPLE
    for one in changed:
        name = one.split('"')[1]
        start = text.index(f'[[rule]]\nid = "{name}"')
        text = text[:start] + one + text[text.index("\n\n", start) :]
    return load_pack(text, "p.toml")


class Store:
    """`CallCounters` and `CallChannels` that the test answers for."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []
        self.waiting: list[Callable[[], None]] = []
        self.asked: list[Callable[[str], None]] = []

    def violated(self, violation: Violation, done: Callable[[], None]) -> None:
        self.told.append(("violated", violation.rule, [(step.kind, step.subject) for step in violation.steps]))
        self.waiting.append(done)

    def release(self, *what: object) -> None:
        self.told.append(("release", *what))

    def note_result(self, callee_hash: bytes, operator: int, result: str, at: float, keep_s: int) -> None:
        self.told.append(("result", result, keep_s))

    def note_trigger(self, callee_hash: bytes, operator: int, at: float, keep_s: int) -> None:
        self.told.append(("trigger", operator, keep_s))

    def take(self, decision: str, limits: Sequence[TrunkLimit], at: float, done: Callable[[str], None]) -> None:
        self.told.append(("take", [one.trunk for one in limits]))
        self.asked.append(done)

    def keep(self, decision: str, until: float) -> None:
        self.told.append(("keep", until))


LIMITED = replace(ALPHA, channels=1)


def house_of(*changed: str) -> tuple[House, Store]:
    store = Store()
    return House(pack(*changed), registry(), counters=store), store


def facts(tally: Tally, **more: object) -> SubscriberFacts:
    return replace(SubscriberFacts(CONSENT_LIVE, tally=tally), **more)  # type: ignore[arg-type]


def test_the_flags_are_the_scripts() -> None:
    names = ("CONSENT", "REFUSALS", "SILENCE", "TRIGGER", "PURPOSE", "COUNT")
    assert [getattr(plan, name) for name in names] == [getattr(counters, name) for name in names]


def test_a_pack_without_limits_asks_plainly() -> None:
    house, _ = house_of()
    house.place(invite())
    assert house.lookup.counting == [None]


def test_a_call_is_counted_with_its_question_and_refused_with_the_time_to_wait() -> None:
    house, store = house_of(FREQUENT)
    decision = house.place(invite())
    asked = house.lookup.counting[0]
    assert asked is not None
    assert (asked.decision.hex(), asked.dry, asked.judged) == (decision, False, False)
    assert asked.spec.numbers == (300_000, 1, 0, 0, 0, 0, 0, 3, 300_000)
    house.lookup.answer(facts(Tally(False, (1_000, 2_000, 3_500))))
    house.turn()
    answer = house.verdict.answer
    assert answer is not None
    assert (house.verdict.rule, answer.status, answer.retry_after) == ("frequency", 603, 297)
    assert house.record.facts is not None and house.record.facts.counted is not None
    assert house.record.facts.counted.callee_ages_ms == (1_000, 2_000, 3_500)
    assert store.told == [], "it was not counted: nothing to take back"


def test_what_was_counted_and_is_refused_is_taken_back() -> None:
    house, store = house_of(FREQUENT)
    decision = house.place(invite())
    house.lookup.answer(replace(facts(COUNTED), consent="none"))
    house.turn()
    assert house.verdict.rule == "consent-missing"
    party = house.lookup.asked[0][0]
    assert store.told == [("release", party, 1, bytes.fromhex(decision))]
    house.place(invite())
    house.lookup.answer(Unavailable("late", "timeout"))
    house.turn()
    assert [words[0] for words in store.told] == ["release", "release"], "it may have been counted"


def test_scoped_refusals_are_judged_before_the_call_is_counted() -> None:
    house, store = house_of(FREQUENT)
    house.place(invite())
    house.lookup.answer(facts(Tally(False), scoped=(ScopedRefusal("operator", "beta"),)))
    asked = house.lookup.counting[1]
    assert asked is not None and asked.judged and not house.verdicts
    house.lookup.answer(facts(COUNTED, scoped=(ScopedRefusal("operator", "beta"),)))
    house.turn()
    assert (house.verdict.rule, house.gate.parked, store.told) == ("allow", 0, [])
    house.place(invite())
    house.lookup.answer(facts(Tally(False), scoped=(ScopedRefusal("operator", "alpha"),)))
    house.turn()
    assert (house.verdict.rule, len(house.lookup.counting)) == ("callee-refused", 3)


def test_a_violation_is_counted_before_its_refusal_is_told() -> None:
    restricted = f'[[rule]]\nid = "operator-restricted"\n[rule.params]\n{LADDER}'
    house, store = house_of(restricted)
    house.place(invite(from_=HIDDEN))
    house.turn()
    assert not house.verdicts and house.gate.parked == 1
    assert store.told == [("violated", "caller-hidden", [("operator", "alpha")])]
    store.waiting.pop()()
    house.turn()
    assert (house.verdict.rule, house.gate.parked) == ("caller-hidden", 0)
    house.place(invite())
    house.gate.restrictions.put({("operator", "alpha"): LiveRestriction("1" * 32, 0.0, "consent-missing", 2, 60)}, 1)
    house.lookup.answer(CONSENT)
    house.turn()
    assert house.verdict.rule == "operator-restricted", "closed while it was asked"
    house.place(invite())
    house.turn()
    assert house.verdict.rule == "operator-restricted"
    assert len(store.told) == 1, "what is closed already is no violation more"


def test_a_call_waits_for_its_channel_beside_its_question() -> None:
    house, store = house_of()
    house.place(invite(), LIMITED)
    house.lookup.answer(CONSENT)
    house.turn()
    assert store.told == [("take", ["cc-alpha"])] and not house.verdicts
    store.asked.pop()("")
    house.turn()
    assert house.verdict.allowed
    house.place(invite(), LIMITED)
    store.asked.pop()("trunk cc-alpha: all 1 channels taken")
    house.lookup.answer(CONSENT)
    house.turn()
    answer = house.verdict.answer
    assert answer is not None
    assert (house.verdict.rule, answer.status, answer.cause, house.gate.parked) == ("trunk-capacity", 503, 34, 0)
    decision = house.place(invite(), LIMITED)
    house.lookup.answer(SubscriberFacts("none"))
    house.turn()
    store.asked.pop()("")
    assert store.told[-1] == ("release", decision), "refused for its consent: the channel is given back"


def test_results_and_triggers_are_noted() -> None:
    silent = '[[rule]]\nid = "cool-down"\n[rule.params]\ndeclined_s = 60\n'
    house, store = house_of(silent)
    following = house.gate.following
    assert following is not None
    decisions = [house.place(invite()) for _ in range(3)]
    for _ in decisions:
        house.lookup.answer(facts(Tally(False)))
    house.turn()
    following.outcome(decisions[0], "failed", 603, 5.0)
    following.outcome(decisions[0], "failed", 603, 5.0)
    following.outcome(decisions[1], "failed", 486, 5.0)
    following.outcome(decisions[2], "answered", 200, 5.0)
    assert store.told == [("result", "declined", 60)]
    assert len(following) == 0
