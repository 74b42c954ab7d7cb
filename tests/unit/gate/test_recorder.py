"""What a decision record says, and what it never says in clear."""

from __future__ import annotations

import msgspec
import pytest

from gateway.gate.records import DecisionRecord
from gateway.gate.seal import Sealer, SealError
from gateway.gate.sealed import sealed_content
from gateway.sip.message import Request
from gateway.store.ports import SubscriberFacts
from policies.facts import Facts
from tests.support.packs import LABEL
from tests.unit.gate.calls import ALPHA, AT, CARRIER, invite, registry
from tests.unit.gate.house import CONSENT, SEAL_KEY, SOURCE, House

SUBSCRIBER = "+8613800138000"
NATIONAL = b"13800138000"


def forms(number: bytes) -> list[bytes]:
    """The ways a number may stand in a record by mistake: whole, and every run of seven digits of it."""
    return [number[at : at + 7] for at in range(len(number) - 6)]


def without_sealed(line: bytes) -> bytes:
    record = msgspec.json.decode(line)
    sealed = record.pop("sealed")
    assert line.count(sealed.encode()) == 1
    return line.replace(sealed.encode(), b"")


OUTBOUND = {
    "plain": invite(),
    "national": invite(uri=b"sip:013800138000@127.0.0.1", to=b"<sip:013800138000@127.0.0.1>"),
    "tel": invite(uri=b"tel:+86-138-0013-8000", to=b"<tel:+86-138-0013-8000>"),
    "escaped": invite(uri=b"sip:%2b8613800138000@127.0.0.1", to=b"<sip:+8613800138000@127.0.0.1>"),
    "rn": invite(uri=b"tel:+8613800138000;rn=+8613900000000", to=b"<tel:+8613800138000>"),
    "to differs": invite(to=b"<sip:+8613800138000@127.0.0.1>", uri=b"sip:+8613900139000@127.0.0.1"),
    "unreadable": invite(uri=b"sip:+8613800138000x@127.0.0.1", to=b"<sip:+8613800138000@127.0.0.1>"),
    "Route": invite(b"Route: <sip:+8613800138000@192.0.2.7;lr>"),
    "hidden": invite(from_=b'"Anonymous" <sip:anonymous@anonymous.invalid>;tag=a1'),
    "identity": invite(b"P-Asserted-Identity: <sip:+8613800138000@127.0.0.2>"),
    "Diversion": invite(b"Diversion: <sip:+8613800138000@127.0.0.2>;reason=unconditional"),
    "own number": invite(from_=b"<sip:+8613800138000@127.0.0.2>;tag=a1"),
    "own number, other form": invite(from_=b"<sip:013800138000@127.0.0.2>;tag=a1"),
    "Call-ID and tag": invite(
        from_=b"<sip:+8657112340001@127.0.0.2>;tag=8613800138000", call_id=b"13800138000-1@127.0.0.2"
    ),
    "display": invite(from_=b'"13800138000" <sip:+8657112340001@127.0.0.2>;tag=a1'),
}


@pytest.mark.parametrize("request_", OUTBOUND.values(), ids=OUTBOUND)
@pytest.mark.parametrize("facts", [CONSENT, SubscriberFacts("none")], ids=["consent", "none"])
def test_no_subscriber_number_in_clear_outbound(request_: Request, facts: SubscriberFacts) -> None:
    house = House()
    house.place(request_)
    house.lookup.answer(facts)
    house.turn()
    (line,) = house.journal.lines
    clear = without_sealed(line)
    found = [form for form in forms(NATIONAL) if form in clear]
    assert not found, clear
    assert b"13900139" not in clear
    assert NATIONAL in house.sealer.decrypt(house.record.sealed).replace(b"-", b"")


def test_no_subscriber_number_in_clear_inbound() -> None:
    house = House()
    house.place(
        invite(
            b"P-Asserted-Identity: <tel:+8613800138000>",
            uri=b"sip:+8657112340001@127.0.0.1",
            to=b"<sip:+8657112340001@127.0.0.1>",
            from_=b'"13800138000" <sip:+8613800138000@127.0.0.9>;tag=n1',
        ),
        CARRIER,
    )
    house.turn()
    (line,) = house.journal.lines
    assert not [form for form in forms(NATIONAL) if form in without_sealed(line)]
    record = house.record
    assert (record.direction, record.number, record.operator) == ("inbound", "+8657112340001", "alpha")
    assert record.party == house.pseudonymizer.hash(SUBSCRIBER).hex()


@pytest.mark.parametrize("rule", ["method", "dialog-forged", "route-forced"])
def test_no_subscriber_number_in_clear_in_a_refusal_of_the_proxy(rule: str) -> None:
    house = House()
    house.gate.refuse(rule, "BYE", invite(method=b"BYE"), ALPHA, "1" * 32, SOURCE, AT)
    house.turn()
    (line,) = house.journal.lines
    assert not [form for form in forms(NATIONAL) if form in without_sealed(line)]
    opened = msgspec.json.decode(house.sealer.decrypt(house.record.sealed))
    assert (opened["subscriber"], opened["uri"]) == ("", "sip:+8613800138000@127.0.0.1:5060")


def test_every_field_of_an_allowed_call() -> None:
    house = House()
    house.place(invite())
    house.now += 0.002
    house.lookup.answer(CONSENT)
    house.turn()
    record = house.record
    sealed, facts = record.sealed, record.facts
    assert record == DecisionRecord(
        id=f"{1:032x}", at=int(AT * 1e6), node="node-7", trunk="cc-alpha", direction="outbound", verdict="allow",
        rule="allow", status=0, reason="", source=SOURCE, call_id="c1@127.0.0.2", from_tag="a1", method="INVITE",
        operator="alpha", number="+8657112340001", party=house.pseudonymizer.hash(SUBSCRIBER).hex(),
        party_mask="+86138****8000", route="carrier", pack=LABEL, registry=registry().version,
        decide_us=record.decide_us, lookup_us=record.lookup_us, facts=facts, sealed=sealed,
    )  # fmt: skip
    assert record.decide_us == record.lookup_us == pytest.approx(2_000, abs=2)
    assert isinstance(facts, Facts)
    assert (facts.consent, facts.subscriber_kind, facts.subscriber_zone) == ("live", "mobile", "Asia/Shanghai")
    assert (facts.purpose, facts.range_id, facts.at) == ("consultation", "alpha-1", AT)


def test_a_refused_call_says_why() -> None:
    house = House()
    house.place(invite(from_=b"<sip:+8657156780001@127.0.0.2>;tag=a1"))
    house.turn()
    record = house.record
    assert (record.verdict, record.rule, record.status, record.operator) == ("refuse", "number-foreign", 403, "beta")
    assert record.reason
    assert record.number == "+8657156780001", "the call centre's own number is no secret"


def test_a_caller_in_no_range_is_its_trunks() -> None:
    house = House()
    house.place(invite(from_=b"<sip:+8657182340001@127.0.0.2>;tag=a1"))
    house.turn()
    assert (house.record.rule, house.record.operator) == ("number-unassigned", "alpha")


def test_the_sealed_part_opens_with_the_key_and_with_no_other() -> None:
    house = House()
    house.decide(invite(b"P-Preferred-Identity: <sip:+8657112340001@127.0.0.2>"))
    sealed = house.record.sealed
    opened = msgspec.json.decode(Sealer(1, SEAL_KEY).decrypt(sealed))
    assert (opened["subscriber"], opened["uri"]) == (SUBSCRIBER, "sip:+8613800138000@127.0.0.1:5060")
    assert ["P-Preferred-Identity", "<sip:+8657112340001@127.0.0.2>"] in opened["headers"]
    with pytest.raises(SealError):
        Sealer(1, b"t" * 32).decrypt(sealed)
    with pytest.raises(SealError):
        Sealer(2, SEAL_KEY).decrypt(sealed)
    assert SUBSCRIBER.encode() not in sealed


def test_bytes_that_are_no_text_are_recorded_all_the_same() -> None:
    house = House()
    request = invite()
    broken = b'"\xff\xfe" <sip:+8657112340001@127.0.0.2>;tag=a1'  # no parser of ours lets it come so far
    request.headers = [(name, broken if name == b"From" else value) for name, value in request.headers]
    request.call_id = b"\xff\xfe@x"
    house.decide(request)
    assert house.record.call_id == "\ufffd\ufffd@x"
    assert "\ufffd" in msgspec.json.decode(house.sealer.decrypt(house.record.sealed))["headers"][0][1]


def test_no_number_read_no_party() -> None:
    house = House()
    house.place(invite(uri=b"sip:bob@127.0.0.1", to=b"<sip:bob@127.0.0.1>"))
    house.turn()
    assert (house.record.rule, house.record.party, house.record.party_mask) == ("callee-malformed", "", "")
    assert msgspec.json.decode(sealed_content(invite(), ""))["subscriber"] == ""
