"""The gate: what is asked in which order, what waits, what is recorded before it is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.gate import gate as gate_module
from gateway.gate.gate import MAX_PARKED
from gateway.gate.in_force import InForce, NoRegistry
from gateway.gate.pack import BoundRule
from gateway.registry.model import Snapshot, Trunk
from gateway.registry.plan_csv import load_plan_csv
from gateway.registry.registry import Registry
from gateway.sip.message import Request
from gateway.store.ports import ScopedRefusal, SubscriberFacts
from tests.support.packs import LABEL
from tests.unit.gate.calls import ALPHA, AT, CALLEE, CARRIER, invite, registry
from tests.unit.gate.house import CONSENT, HIDDEN, House, emergency
from tests.unit.gate.test_engine import Failing, example, failing, with_modes

PLAN = load_plan_csv(Path("config/plans/cn.csv").read_text(encoding="utf-8"))
NO_CONSENT = SubscriberFacts("none")


def inbound_invite(callee: bytes = b"+8657112340001") -> Request:
    return invite(
        uri=b"sip:" + callee + b"@127.0.0.1",
        to=b"<sip:" + callee + b"@127.0.0.1>",
        from_=b"<sip:+8613900139000@127.0.0.9>;tag=n1",
    )


def suspended_core() -> Registry:
    return registry(replace(CARRIER, state="suspended"))


# -- the ordinary ways ---------------------------------------------------------------------------------------------


def test_without_a_registry_nothing_is_decided() -> None:
    house = House()
    house.gate._in_force = InForce()
    with pytest.raises(NoRegistry):
        house.place(invite())
    with pytest.raises(NoRegistry):
        house.gate.refuse("method", "", invite(), ALPHA, "1" * 32, "s", AT)


def test_a_call_with_consent_waits_once_and_passes_after_its_record() -> None:
    house = House()
    decision = house.place(invite())
    party = house.pseudonymizer.hash(CALLEE.decode())
    assert house.lookup.asked == [(party, 1, 1, AT)]
    assert (house.gate.parked, house.wakes) == (1, 0)
    house.now += 0.004
    house.lookup.answer(CONSENT)
    assert (house.gate.parked, house.wakes) == (0, 1)
    assert not house.verdicts, "told before its record is written"
    ready = house.gate.commit(AT)
    assert [record.id for record in house.journal.decisions()] == [decision]
    assert not house.verdicts
    ready[0].deliver(ready[0].verdict)  # type: ignore[arg-type]
    assert (house.verdict.allowed, house.verdict.rule, house.verdict.decision) == (True, "allow", decision)
    assert house.record.lookup_us == house.record.decide_us == pytest.approx(4_000, abs=2)
    assert house.counts.calls == {("cc-alpha", "outbound", "allow", "allow"): 1}
    assert house.counts.lookup.values == house.counts.decision.values == [pytest.approx(0.004)]


def test_a_refusal_on_memory_asks_no_store() -> None:
    house = House()
    house.place(invite(from_=HIDDEN))
    house.turn()
    assert house.lookup.asked == []
    assert (house.verdict.rule, house.verdict.answer) == ("caller-hidden", example().answers["caller-hidden"])
    assert (house.record.verdict, house.record.rule, house.record.status) == ("refuse", "caller-hidden", 433)
    assert house.counts.calls == {("cc-alpha", "outbound", "refuse", "caller-hidden"): 1}
    assert house.counts.lookup.values == []


@pytest.mark.parametrize(
    ("answer", "rule", "status"),
    [
        (NO_CONSENT, "consent-missing", 470),
        (SubscriberFacts("revoked"), "consent-missing", 470),
        (SubscriberFacts("expired"), "consent-missing", 470),
        (SubscriberFacts("live", refuses_all=True), "callee-refused", 603),
        (SubscriberFacts("live", refuses_category=True), "callee-refused", 603),
        (SubscriberFacts("live", scoped=(ScopedRefusal("operator", "alpha"),)), "callee-refused", 603),
        (SubscriberFacts("live", scoped=(ScopedRefusal("operator", "beta"),)), "allow", 0),
    ],
)
def test_store_rules(answer: SubscriberFacts, rule: str, status: int) -> None:
    house = House()
    house.place(invite())
    house.lookup.answer(answer)
    house.turn()
    assert (house.verdict.rule, house.record.rule, house.record.status) == (rule, rule, status)
    assert house.record.facts is not None
    assert house.record.facts.consent == answer.consent


def test_a_trunk_words_its_own_answers() -> None:
    trunk = replace(ALPHA, answers=(("consent-missing", 488, "Ask First"), ("overload", 500, "Disk")))
    house = House()
    house.place(invite(), trunk)
    house.lookup.answer(NO_CONSENT)
    house.turn()
    answer = house.verdict.answer
    assert answer is not None
    assert (answer.status, answer.phrase, house.record.status) == (488, "Ask First", 488)
    house.journal.full = True
    house.place(invite(), trunk)
    house.lookup.answer(CONSENT)
    house.turn()
    answer = house.verdict.answer
    assert answer is not None
    assert (answer.status, answer.phrase) == (500, "Disk")


def test_inbound_asks_no_store() -> None:
    house = House()
    house.place(inbound_invite(), CARRIER)
    house.turn()
    assert (house.verdict.rule, house.lookup.asked) == ("allow", [])
    house.place(inbound_invite(b"+8657182340001"), CARRIER)
    house.turn()
    assert (house.verdict.rule, house.record.direction) == ("callee-unknown", "inbound")


def test_versions_never_mix_in_one_decision() -> None:
    house = House()
    house.place(invite())
    house.switch(replace(with_modes(consent_missing="off"), version=99), suspended_core())
    house.lookup.answer(NO_CONSENT)
    house.turn()
    assert (house.verdict.rule, house.record.pack) == ("consent-missing", LABEL)
    house.place(invite())
    house.lookup.answer(NO_CONSENT)
    house.turn()
    assert (house.verdict.rule, house.record.pack) == ("trunk-capacity", "example@99")


def test_no_active_trunk_to_leave_by() -> None:
    house = House(over=suspended_core())
    verdict = house.decide(invite())
    assert verdict.answer is not None
    assert (verdict.rule, verdict.reason, verdict.answer.status) == ("trunk-capacity", "no active trunk", 503)
    assert (verdict.answer.cause, verdict.answer.retry_after) == (34, 0)
    assert house.decide(emergency()).rule == "trunk-capacity"


# -- shadow, rules that fail ---------------------------------------------------------------------------------------


def test_shadow_rules_are_counted_and_recorded_and_refuse_nothing() -> None:
    house = House(with_modes(direction_outbound="shadow", consent_missing="shadow", callee_refused="shadow"))
    house.place(invite())
    house.lookup.answer(SubscriberFacts("none", refuses_all=True))
    house.turn()
    assert (house.verdict.rule, house.verdict.shadow) == ("allow", ("consent-missing", "callee-refused"))
    assert house.record.shadow == ("consent-missing", "callee-refused")
    assert house.counts.shadow == {"consent-missing": 1, "callee-refused": 1}


def test_shadow_before_a_refusal_is_recorded_with_it() -> None:
    house = House(with_modes(caller_hidden="shadow"))
    house.place(invite(from_=HIDDEN))
    house.turn()
    assert (house.verdict.rule, house.record.shadow) == ("number-unassigned", ("caller-hidden",))
    assert house.counts.shadow == {"caller-hidden": 1}


@pytest.mark.parametrize(("request_", "trunk"), [(invite(), ALPHA), (inbound_invite(), CARRIER)])
def test_a_rule_that_raises_refuses_and_is_counted(request_: Request, trunk: Trunk) -> None:
    house = House(failing("enforce"))
    house.place(request_, trunk)
    house.turn()
    assert (house.verdict.rule, house.verdict.reason) == ("failing", "rule failed")
    assert (house.rule_errors, house.lookup.asked) == (["failing"], [])
    assert (house.record.status, house.record.reason) == (403, "rule failed")


def test_a_store_rule_that_raises_refuses() -> None:
    class FailingAfter(Failing):
        needs = "store"

    pack = example()
    bound = BoundRule("failing", FailingAfter({}), "enforce", Failing.answer, "refuse")
    house = House(replace(pack, rules=(*pack.rules, bound)))
    house.place(invite())
    house.lookup.answer(CONSENT)
    house.turn()
    assert (house.verdict.rule, house.rule_errors) == ("failing", ["failing"])


# -- emergency -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("from_", [HIDDEN, b"<sip:bob@127.0.0.2>;tag=a1", b"<sip:+8657156780001@127.0.0.2>;tag=a1"])
def test_emergency_passes_with_an_unproven_caller(from_: bytes) -> None:
    house = House()
    house.place(emergency(from_=from_))
    house.turn()
    assert (house.verdict.rule, house.verdict.attempt.proven, house.lookup.asked) == ("emergency", False, [])
    assert (house.record.verdict, house.record.rule, house.record.status) == ("allow", "emergency", 0)
    assert house.counts.calls == {("cc-alpha", "outbound", "allow", "emergency"): 1}


def test_emergency_passes_before_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "MAX_PARKED", 0)
    house = House(failing("enforce"), Registry(Snapshot(1, trunks=(ALPHA, CARRIER), plan=PLAN, emergency=("110",))))
    house.gate.draining = True
    house.place(emergency())
    house.turn()
    assert house.verdict.rule == "emergency"
    assert [trunk.id for trunk in house.verdict.attempt.routes] == ["carrier"]
    assert house.rule_errors == [], "no rule is asked"


def test_emergency_stops_at_a_forced_route() -> None:
    house = House()
    house.place(emergency(b"Route: <sip:192.0.2.7;lr>"))
    house.turn()
    assert (house.verdict.rule, house.verdict.reason) == ("route-forced", "Route")
    assert house.record.status == 403


# -- the gateway's own state ---------------------------------------------------------------------------------------


def test_draining() -> None:
    house = House()
    house.gate.draining = True
    house.place(invite())
    house.turn()
    answer = house.verdict.answer
    assert answer is not None
    assert (house.verdict.rule, answer.status, answer.cause, answer.retry_after) == ("draining", 503, 42, 3)
    assert (house.record.rule, house.lookup.asked) == ("draining", [])


def test_what_was_parked_before_the_drain_is_decided() -> None:
    house = House()
    house.place(invite())
    house.gate.draining = True
    house.lookup.answer(CONSENT)
    house.turn()
    assert house.verdict.rule == "allow"


def test_more_parked_than_the_store_can_answer_is_overload(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_PARKED == 10_000
    monkeypatch.setattr(gate_module, "MAX_PARKED", 2)
    house = House()
    for _ in range(3):
        house.place(invite())
    assert (house.gate.parked, len(house.lookup.asked)) == (2, 2)
    house.turn()
    answer = house.verdict.answer
    assert answer is not None
    assert (house.verdict.rule, answer.status, answer.retry_after) == ("overload", 503, 1)
    house.lookup.answer(CONSENT)
    house.place(invite())
    assert house.gate.parked == 1
    house.turn()
    assert [verdict.rule for verdict in house.verdicts] == ["overload", "allow", "allow"]
