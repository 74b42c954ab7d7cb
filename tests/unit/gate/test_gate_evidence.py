"""The gate where evidence fails, repeats or floods, and where the proxy refuses by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.gate import gate as gate_module
from gateway.gate.recovered import RECOVERY_SECONDS
from tests.unit.gate.calls import ALPHA, AT, BETA, CARRIER, invite
from tests.unit.gate.house import CONSENT, HIDDEN, House, emergency

# -- evidence that cannot be written -------------------------------------------------------------------------------


def test_without_evidence_no_call() -> None:
    house = House()
    house.journal.full = True
    house.place(invite())
    house.place(invite(from_=HIDDEN))
    house.lookup.answer(CONSENT)
    house.turn()
    by_rule = {verdict.rule: verdict for verdict in house.verdicts}
    assert set(by_rule) == {"overload", "caller-hidden"}
    answer = by_rule["overload"].answer
    assert answer is not None
    assert (answer.status, answer.cause, answer.retry_after) == (503, 42, 1)
    assert by_rule["overload"].reason == "evidence cannot be written"
    assert (house.counts.journal_errors, house.evidence.kept, house.journal.lines) == (1, 0, [])
    key = ("cc-alpha", "outbound", "refuse")
    assert house.counts.calls == {(*key, "overload"): 1, (*key, "caller-hidden"): 1}, "not counted as allowed"
    house.journal.full = False
    assert house.decide(invite()).rule == "allow"


def test_without_evidence_emergency_passes_and_its_record_is_kept() -> None:
    house = House()
    house.journal.full = True
    decision = house.place(emergency())
    house.turn()
    assert (house.verdict.rule, house.verdict.allowed, house.evidence.kept) == ("emergency", True, 1)
    house.journal.full = False
    house.turn(AT + 1)
    assert [(record.id, record.rule) for record in house.journal.decisions()] == [(decision, "emergency")]
    assert house.evidence.kept == 0


def test_where_evidence_is_not_required_calls_pass_and_records_are_kept() -> None:
    house = House(required=False)
    house.journal.full = True
    verdict = house.decide(invite())
    assert (verdict.rule, house.evidence.kept) == ("allow", 1)
    house.journal.full = False
    house.turn(AT + 1)
    assert [record.rule for record in house.journal.decisions()] == ["allow"]


def test_what_the_disk_did_not_sync_is_no_evidence() -> None:
    """`journal.sync = always`: written, but fdatasync failed. Calls are refused, with an outcome that says so."""
    house = House()
    decision = house.place(invite())
    house.place(emergency())
    house.place(invite(from_=HIDDEN))
    house.lookup.answer(CONSENT)
    ready = house.gate.commit(AT)
    house.gate.unsynced(ready, AT)
    for waiting in ready:
        assert waiting.verdict is not None
        waiting.deliver(waiting.verdict)
    assert [verdict.rule for verdict in house.verdicts] == ["emergency", "caller-hidden", "overload"]
    house.turn()
    last = house.journal.records()[-1]
    assert (last.id, last.result, last.status) == (decision, "failed", 503)  # type: ignore[union-attr]
    assert len(house.journal.lines) == 4
    relaxed = House(required=False)
    relaxed.place(invite())
    relaxed.lookup.answer(CONSENT)
    ready = relaxed.gate.commit(AT)
    relaxed.gate.unsynced(ready, AT)
    assert ready[0].verdict is not None
    assert ready[0].verdict.allowed


# -- a worker that came back ---------------------------------------------------------------------------------------


def test_recovered_decisions_are_delivered_again_without_a_second_record() -> None:
    house = House()
    known = {
        "a" * 32: ("allow", "allow", 0),
        "b" * 32: ("refuse", "consent-missing", 488),
        "c" * 32: ("refuse", "a-rule-no-pack-has", 499),
        "d" * 32: ("allow", "emergency", 0),
    }
    house.gate.recover(known, house.now)
    for decision in "abcd":
        house.place(invite(), decision=decision * 32)
    assert house.wakes == 4
    house.turn()
    told = [(v.rule, v.answer.status if v.answer else 0) for v in house.verdicts]
    assert told == [("allow", 0), ("consent-missing", 488), ("a-rule-no-pack-has", 499), ("emergency", 0)]
    assert (house.journal.lines, house.lookup.asked, house.counts.calls) == ([], [], {})
    assert house.decide(invite(), decision="e" * 32).rule == "allow"
    assert len(house.journal.lines) == 1
    house.decide(invite(), decision="a" * 32)
    assert len(house.journal.lines) == 2, "remembered once: a later INVITE of this id is a new one"


def test_a_recovered_decision_has_its_evidence_on_a_full_disk_too() -> None:
    house = House()
    house.gate.recover({"a" * 32: ("allow", "allow", 0), "d" * 32: ("allow", "emergency", 0)}, house.now)
    house.journal.full = True
    house.place(invite(), decision="a" * 32)
    house.place(emergency(), decision="d" * 32)
    house.place(invite(from_=HIDDEN))  # whose record fails the commit of this turn
    house.turn()
    assert [verdict.rule for verdict in house.verdicts] == ["allow", "emergency", "caller-hidden"]
    assert (house.evidence.kept, house.counts.journal_errors) == (0, 1)


def test_recovered_decisions_survive_a_sync_error() -> None:
    house = House()
    house.gate.recover({"a" * 32: ("allow", "allow", 0)}, house.now)
    house.place(invite(), decision="a" * 32)
    ready = house.gate.commit(AT)
    house.gate.unsynced(ready, AT)
    assert ready[0].verdict is not None
    assert ready[0].verdict.allowed
    assert house.evidence.kept == 0


def test_recovered_decisions_are_forgotten_after_their_time() -> None:
    house = House()
    house.gate.recover({"a" * 32: ("refuse", "consent-missing", 470)}, house.now)
    house.now += RECOVERY_SECONDS
    house.place(invite(), decision="f" * 32)
    assert house.gate._recovered.decisions
    house.now += 0.1
    house.place(invite(), decision="a" * 32)
    house.lookup.answer(CONSENT)
    house.turn()
    assert [verdict.rule for verdict in house.verdicts] == ["allow", "allow"]
    assert not house.gate._recovered.decisions


# -- refusals the proxy makes --------------------------------------------------------------------------------------


def test_a_refusal_of_the_proxy_is_recorded_once() -> None:
    house = House()
    request = invite(method=b"REGISTER")
    for _ in range(2):
        answer = house.gate.refuse("method", "REGISTER", request, ALPHA, "9" * 32, "127.0.0.2:5060/udp", AT)
        assert (answer.status, answer.phrase) == (405, "Method Not Allowed")
    house.turn()
    (record,) = house.journal.decisions()
    assert (record.rule, record.status, record.method, record.reason) == ("method", 405, "REGISTER", "REGISTER")
    assert house.counts.calls == {("cc-alpha", "outbound", "refuse", "method"): 1}
    house.gate.refuse("method", "REGISTER", request, CARRIER, "8" * 32, "127.0.0.9:5060/udp", AT)
    house.turn()
    assert (house.record.direction, house.record.trunk) == ("inbound", "carrier")


def test_a_refusal_without_id_is_answered_and_not_recorded() -> None:
    house = House()
    answer = house.gate.refuse("draining", "OPTIONS", invite(method=b"OPTIONS"), ALPHA, "", "s", AT)
    house.turn()
    assert (answer.status, house.journal.lines, house.counts.calls) == (503, [], {})


def test_a_refusal_of_the_proxy_is_kept_while_the_disk_is_full() -> None:
    house = House()
    house.journal.full = True
    trunk = replace(BETA, answers=(("dialog-forged", 404, "Gone"),))
    assert house.gate.refuse("dialog-forged", "BYE", invite(), trunk, "7" * 32, "s", AT).status == 404
    house.turn()
    house.journal.full = False
    house.turn(AT + 1)
    assert (house.record.rule, house.record.status, house.record.operator) == ("dialog-forged", 404, "beta")


def test_remembered_refusals_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "MAX_REFUSED", 32)
    house = House()
    for number in range(500):
        house.gate.refuse("method", "", invite(), ALPHA, f"{number:032x}", "s", AT)
    house.gate.refuse("method", "", invite(), ALPHA, f"{499:032x}", "s", AT)
    house.turn()
    assert len(house.journal.lines) == 500
    assert sum(b"%032x" % number in house.gate._refused for number in range(500)) <= 64


# -- floods --------------------------------------------------------------------------------------------------------


def test_a_flood_of_refusals_is_one_record_and_every_one_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.gate.evidence.FLOOD_LIMIT", 2)
    house = House()
    for port in range(5):
        house.place(invite(from_=HIDDEN), source=f"127.0.0.2:{6000 + port}/udp")
    for number in range(4):
        house.gate.refuse("method", "", invite(), ALPHA, f"{number + 100:032x}", f"127.0.0.2:{port}/udp", AT)
    house.turn()
    assert len(house.verdicts) == 5
    assert [record.rule for record in house.journal.decisions()] == ["caller-hidden"] * 2 + ["method"] * 2
    assert house.counts.calls["cc-alpha", "outbound", "refuse", "caller-hidden"] == 5
    house.turn(AT + 1)
    floods = [(f.source, f.rule, f.count) for f in house.journal.records()[4:]]  # type: ignore[union-attr]
    assert floods == [("127.0.0.2", "caller-hidden", 3), ("127.0.0.2", "method", 2)]


def test_allowed_calls_are_never_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.gate.evidence.FLOOD_LIMIT", 1)
    house = House()
    for _ in range(3):
        house.place(invite())
    house.lookup.answer(CONSENT)
    house.turn()
    assert len(house.journal.decisions()) == 3
