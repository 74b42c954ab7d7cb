"""The call attempt: facts from memory, the callee, emergency, and what would choose another route."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.sip import RemoteProtocolError
from policies.facts import (
    CALLEE_MALFORMED,
    CALLEE_MISMATCH,
    CALLEE_OK,
    CALLER_MALFORMED,
    CALLER_OK,
    INBOUND,
    NUMBER_LENGTH,
    NUMBER_OK,
    NUMBER_UNASSIGNED,
    OUTBOUND,
)
from tests.unit.gate.calls import ALPHA, BETA, CARRIER, TRUSTED, attempt, invite

EMERGENCY_TO = b"<sip:110@127.0.0.1>"


def test_outbound_facts() -> None:
    call = attempt(invite(b"P-Asserted-Identity: <sip:+8657112340001@x>"))
    facts = call.facts
    assert (call.direction, facts.direction, facts.trunk, facts.trunk_operator) == (
        *(OUTBOUND, OUTBOUND),
        *("cc-alpha", "alpha"),
    )
    assert (facts.caller_status, facts.callee_status) == (CALLER_OK, CALLEE_OK)
    assert (facts.number, facts.number_kind, facts.number_status) == ("+8657112340001", "geo", NUMBER_OK)
    assert (facts.range_id, facts.range_operator, facts.range_trunks) == ("alpha-1", "alpha", ("cc-alpha", "cc-strict"))
    assert (facts.range_state, facts.range_outbound, facts.range_inbound) == ("enabled", True, True)
    assert (facts.purpose, facts.route, facts.forced_route, facts.transfer) == ("consultation", "carrier", "", "")
    assert (facts.subscriber_kind, facts.subscriber_zone) == ("mobile", "Asia/Shanghai")
    assert call.subscriber == "+8613800138000"
    assert call.callee is not None
    assert call.number is call.caller.number
    assert call.range is not None
    assert call.request_uri(b"127.0.0.9:5060") == b"sip:+8613800138000@127.0.0.9:5060"


def test_no_fact_names_the_subscriber() -> None:
    text = repr(attempt(invite()).facts)
    assert "13800138000" not in text
    inbound = attempt(invite(from_=b"<sip:+8613800138000@h>;tag=a", uri=b"sip:+8657112340001@127.0.0.1"), CARRIER)
    assert "13800138000" not in repr(inbound.facts)


def test_another_operators_number() -> None:
    facts = attempt(invite(from_=b"<sip:+8657156780001@h>;tag=a")).facts
    assert (facts.number_status, facts.range_operator, facts.trunk_operator) == (NUMBER_OK, "beta", "alpha")


def test_inbound_only_number() -> None:
    facts = attempt(invite(from_=b"<sip:4001230001@h>;tag=a")).facts
    assert (facts.number, facts.number_status, facts.range_outbound) == ("+864001230001", NUMBER_OK, False)


@pytest.mark.parametrize(
    "user", [b"+86571123400011", b"+865711234000", b"9501312", b"950131234", b"057195013123", b"0571123400012"]
)
def test_digits_added_or_cut(user: bytes) -> None:
    """Forms 13 and 16: whether the plan can still read the digits or not, they were made from a number of ours."""
    facts = attempt(invite(from_=b"<sip:" + user + b"@h>;tag=a")).facts
    assert (facts.caller_status, facts.number_status, facts.range_id) == (CALLER_OK, NUMBER_LENGTH, "")


@pytest.mark.parametrize("user", [b"+8613900139000", b"+12025550123", b"02161234567", b"13900139000"])
def test_number_in_no_range(user: bytes) -> None:
    """Form 25 among them: a foreign country code."""
    facts = attempt(invite(from_=b"<sip:" + user + b"@h>;tag=a")).facts
    assert (facts.caller_status, facts.number_status, facts.route) == (CALLER_OK, NUMBER_UNASSIGNED, "")


def test_unreadable_digits_near_nothing_stay_malformed() -> None:
    facts = attempt(invite(from_=b"<sip:99999999999999999@h>;tag=a")).facts
    assert (facts.caller_status, facts.number_status) == (CALLER_MALFORMED, NUMBER_UNASSIGNED)


@pytest.mark.parametrize(
    ("uri", "to", "target"),
    [
        (b"sip:+8613800138000@gate.example", b"sip:+8613800138000@gate.example", b"+8613800138000"),
        (b"sip:+8613800138000@GATE.example:5070;transport=udp", b"<tel:+8613800138000>", b"+8613800138000"),
        (b"sip:013800138000@127.0.0.1", b"<sip:13800138000@127.0.0.1>", b"013800138000"),
        (b"sip:008613800138000@127.0.0.1", b"<sip:+8613800138000@x>", b"008613800138000"),
        (b"sip:8613800138000@[::1]:5060", b"<sip:+8613800138000@x>", b"8613800138000"),
        (b"sip:%2B8613800138000@127.0.0.1", b"<sip:+8613800138000@x>", b"+8613800138000"),
        (b"sip:+86-138-0013-8000@127.0.0.1;user=phone", b"<sip:+8613800138000@x>", b"+8613800138000"),
        (b"tel:+86-138-0013-8000", b"<tel:+8613800138000>", b"+8613800138000"),
        (b"tel:013800138000;phone-context=+86", b"<tel:+8613800138000>", b"013800138000"),
        (b"sip:95588@127.0.0.1", b"<tel:95588;phone-context=+86>", b"95588"),
        (b"sip:11345678@127.0.0.1", b"<sip:11345678@127.0.0.1>", b""),
        (b"sip:61234567@127.0.0.1", b"<sip:+8657161234567@127.0.0.1>", b"61234567"),
    ],
)
def test_callee_forms(uri: bytes, to: bytes, target: bytes) -> None:
    call = attempt(invite(uri=uri, to=to))
    assert call.target == target
    assert call.facts.callee_status == (CALLEE_OK if target else CALLEE_MALFORMED)
    assert call.facts.forced_route == ""


def test_request_uri_is_written_anew() -> None:
    call = attempt(invite(uri=b"sip:%2B8613800138000@127.0.0.1:5060;user=phone;x-route=evil;method=BYE"))
    assert call.request_uri(b"127.0.0.9") == b"sip:+8613800138000@127.0.0.9;user=phone"
    assert attempt(invite(uri=b"tel:+86-138-0013-8000")).request_uri(b"h") == b"sip:+8613800138000@h;user=phone"
    assert attempt(invite(uri=b"sip:alice@127.0.0.1")).request_uri(b"h") == b""


MALFORMED = {
    "name": b"sip:alice@127.0.0.1",
    "no user": b"sip:127.0.0.1",
    "*67": b"sip:*6713800138000@127.0.0.1",
    "#31#": b"sip:%2331%2313800138000@127.0.0.1",
    "*31*": b"sip:*31*13800138000@127.0.0.1",
    "letters": b"sip:1380013FLWR@127.0.0.1",
    "password": b"sip:13800138000:x@127.0.0.1",
    "separators": b"sip:138-0013-8000@127.0.0.1",
    "carrier prefix": b"sip:1795113800138000@127.0.0.1",
    "escaped twice": b"sip:%252B8613800138000@127.0.0.1",
    "escaped NUL": b"sip:+8613800138000%00@127.0.0.1",
    "user=ip": b"sip:+8613800138000@127.0.0.1;user=ip",
    "tel of another context": b"tel:013800138000;phone-context=+1",
    "tel with a service code": b"tel:*67;phone-context=+86",
    "emergency behind a country code": b"sip:+86110@127.0.0.1",
    "emergency behind 0": b"sip:0110@127.0.0.1",
    "too long": b"sip:" + b"1" * 300 + b"@127.0.0.1",
}


@pytest.mark.parametrize("uri", MALFORMED.values(), ids=MALFORMED.keys())
def test_callee_malformed(uri: bytes) -> None:
    call = attempt(invite(uri=uri, to=b"<" + uri + b">"))
    assert call.facts.callee_status == CALLEE_MALFORMED
    assert (call.target, call.callee, call.subscriber, call.emergency) == (b"", None, "", "")


MISMATCH = {
    "rn": (b"sip:+8613800138000;rn=+8613900139000;npdi@127.0.0.1;user=phone", "Request-URI: rn"),
    "rn escaped": (b"sip:+8613800138000%3Brn=+8613900139000@127.0.0.1", "Request-URI: rn"),
    "npdi": (b"sip:+8613800138000;npdi@127.0.0.1", "Request-URI: npdi"),
    "rn as URI parameter": (b"sip:+8613800138000@127.0.0.1;rn=+8613900139000", "Request-URI: rn"),
    "escaped parameter name": (b"sip:+8613800138000@127.0.0.1;%72n=+8613900139000", "Request-URI: rn"),
    "tel rn": (b"tel:+8613800138000;rn=+8613900139000", "Request-URI: rn"),
    "tel ext": (b"tel:+8613800138000;ext=5", "Request-URI: ext"),
    "tel isub": (b"tel:+8613800138000;isub=5", "Request-URI: isub"),
    "tel unknown": (b"tel:+8613800138000;x=5", "Request-URI: URI parameter"),
    "trunk group": (b"sip:+8613800138000;tgrp=a;trunk-context=b@127.0.0.1", "Request-URI: tgrp"),
    "unknown user parameter": (b"sip:+8613800138000;x=a@127.0.0.1", "Request-URI: user parameter"),
    "cic": (b"sip:+8613800138000@127.0.0.1;cic=+1", "Request-URI: cic"),
    "110 with ext": (b"sip:110@127.0.0.1;ext=5", "Request-URI: ext"),
    "110 with rn": (b"sip:110;rn=13900139000@127.0.0.1", "Request-URI: rn"),
    "110 with more": (b"sip:110@127.0.0.1;x=1", "Request-URI: URI parameter"),
}


@pytest.mark.parametrize(("uri", "detail"), MISMATCH.values(), ids=MISMATCH.keys())
def test_callee_altered(uri: bytes, detail: str) -> None:
    call = attempt(invite(uri=uri))
    assert (call.facts.callee_status, call.facts.callee_detail) == (CALLEE_MISMATCH, detail)
    assert (call.target, call.emergency) == (b"", "")


@pytest.mark.parametrize(
    "to",
    [
        b"<sip:+8613900139000@127.0.0.1>",
        b"<sip:alice@127.0.0.1>",
        b"<sip:127.0.0.1>",
        b"<tel:+8613800138000;ext=1>",
        b"<sip:+8613800138000;tgrp=a@127.0.0.1>",
        b"<sip:+8613800138000@127.0.0.1;tag=1>",
        b'"+8613800138000" <sip:+8613900139000@127.0.0.1>',
    ],
)
def test_to_names_another_callee(to: bytes) -> None:
    facts = attempt(invite(to=to)).facts
    assert (facts.callee_status, facts.callee_detail) == (CALLEE_MISMATCH, "Request-URI / To")


def test_number_parameter_behind_to() -> None:
    facts = attempt(invite(to=b"<sip:+8613800138000@127.0.0.1>;rn=1")).facts
    assert (facts.callee_status, facts.callee_detail) == (CALLEE_MISMATCH, "To: rn")


@pytest.mark.parametrize(
    ("lines", "uri", "forced"),
    [
        ([b"Route: <sip:127.0.0.66;lr>"], b"sip:+8613800138000@127.0.0.1", "Route"),
        ([], b"sip:+8613800138000@127.0.0.1;maddr=127.0.0.66", "maddr"),
        ([], b"sip:+8613800138000@127.0.0.1;%6Daddr=127.0.0.66", "maddr"),
        ([], b"sip:+8613800138000@127.0.0.66", "Request-URI host"),
        ([], b"sip:110@127.0.0.66", "Request-URI host"),
        ([], b"sip:110@127.0.0.1;maddr=127.0.0.66", "maddr"),
        ([], b"sip:127.0.0.66", "Request-URI host"),
    ],
)
def test_forced_route(lines: list[bytes], uri: bytes, forced: str) -> None:
    assert attempt(invite(*lines, uri=uri)).facts.forced_route == forced


def test_headers_in_the_request_uri_never_reach_the_gate() -> None:
    with pytest.raises(RemoteProtocolError):
        invite(uri=b"sip:+8613800138000@127.0.0.1?Route=%3Csip:127.0.0.66%3E")


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b"Replaces: a;to-tag=b;from-tag=c", "Replaces"),
        (b"join : a;to-tag=b;from-tag=c", "Join"),
        (b"r: <sip:+8613900139000@x>", "Refer-To"),
    ],
)
def test_transfer(line: bytes, name: str) -> None:
    """Form 21."""
    assert attempt(invite(line)).facts.transfer == name


@pytest.mark.parametrize(
    "uri",
    [
        b"sip:110@127.0.0.1",
        b"sip:110@127.0.0.1:5060;user=phone",
        b"sip:110@127.0.0.1;transport=udp",
        b"sip:%31%31%30@127.0.0.1",
        b"tel:110;phone-context=+86",
        b"tel:110",
        b"tel:1-1-0;phone-context=+86",
    ],
)
def test_emergency(uri: bytes) -> None:
    call = attempt(invite(uri=uri, to=b"<sip:police@127.0.0.1>"))
    assert (call.emergency, call.target, call.facts.callee_status) == ("110", b"110", CALLEE_OK)
    assert call.facts.forced_route == ""
    assert (call.proven, call.facts.route, call.subscriber) == (True, "carrier", "110")


@pytest.mark.parametrize("code", [b"110", b"119", b"120", b"122"])
def test_every_emergency_code_of_the_plan(code: bytes) -> None:
    assert attempt(invite(uri=b"sip:" + code + b"@127.0.0.1")).emergency == code.decode()


@pytest.mark.parametrize(
    "uri",
    [
        b"sip:1100@127.0.0.1",
        b"sip:11@127.0.0.1",
        b"sip:+110@127.0.0.1",
        b"sip:0571110@127.0.0.1",
        b"sip:*110@127.0.0.1",
        b"tel:110;phone-context=+1",
        b"tel:110;phone-context=evil.example",
        b"sip:110:x@127.0.0.1",
    ],
)
def test_not_quite_an_emergency(uri: bytes) -> None:
    assert attempt(invite(uri=uri)).emergency == ""


def test_unproven_emergency_caller_has_a_route_too() -> None:
    for from_ in (b"<sip:alice@h>;tag=a", b"<sip:anonymous@anonymous.invalid>;tag=a", b"<sip:+8657156780001@h>;tag=a"):
        call = attempt(invite(uri=b"sip:110@127.0.0.1", from_=from_))
        assert (call.emergency, call.proven, call.facts.route) == ("110", False, "carrier")


def test_emergency_from_the_core_is_a_number_of_nobody() -> None:
    call = attempt(invite(uri=b"sip:110@127.0.0.1"), CARRIER)
    assert (call.emergency, call.facts.number_status) == ("", NUMBER_UNASSIGNED)


def test_inbound() -> None:
    request = invite(
        *(b"P-Asserted-Identity: <tel:+8613800138001>", b"Privacy: id", b"Diversion: <sip:+8613900139000@x>"),
        uri=b"sip:057112340001@127.0.0.1",
        from_=b'"Anonymous" <sip:anonymous@anonymous.invalid>;tag=a',
        to=b"<sip:+8613900139000@127.0.0.1>",
    )
    call = attempt(request, CARRIER)
    facts = call.facts
    assert (call.direction, facts.direction, facts.caller_status, facts.callee_status) == (
        *(INBOUND, INBOUND),
        *(CALLER_OK, CALLEE_OK),
    )
    assert (facts.number, facts.number_status, facts.range_id, facts.route) == (
        *("+8657112340001", NUMBER_OK),
        *("alpha-1", "cc-alpha"),
    )
    assert (call.target, call.subscriber) == (b"057112340001", "")
    trusted = attempt(request, TRUSTED, TRUSTED)
    assert (trusted.subscriber, trusted.facts.subscriber_kind) == ("+8613800138001", "mobile")


def test_inbound_to_nobody() -> None:
    for uri in (b"sip:+8613900139000@127.0.0.1", b"sip:alice@127.0.0.1", b"sip:+8657112340001;rn=1@127.0.0.1"):
        facts = attempt(invite(uri=uri), CARRIER).facts
        assert (facts.number_status, facts.route) == (NUMBER_UNASSIGNED, "")


def test_local_digits_are_spelled_out_for_another_area() -> None:
    """The carrier would read 61234567 in its own area, or in none."""
    elsewhere = replace(CARRIER, area="10")
    call = attempt(invite(uri=b"sip:61234567@127.0.0.1", to=b"<sip:61234567@127.0.0.1>"), core=elsewhere)
    assert (call.target, call.facts.callee_status) == (b"+8657161234567", CALLEE_OK)


def test_local_caller_towards_another_area_is_malformed() -> None:
    local = replace(BETA, area="571")
    request = invite(from_=b"<sip:56780001@h>;tag=a")
    assert attempt(request, local).facts.caller_status == CALLER_OK
    facts = attempt(request, local, replace(CARRIER, area="10")).facts
    assert (facts.caller_status, facts.caller_detail) == (CALLER_MALFORMED, "From: local form")


def test_short_code_towards_another_country() -> None:
    abroad = replace(CARRIER, country="852", area="")
    call = attempt(invite(uri=b"sip:95588@127.0.0.1", to=b"<sip:95588@127.0.0.1>"), core=abroad)
    assert (call.facts.callee_status, call.target, call.callee) == (CALLEE_MALFORMED, b"", None)


def test_suspended_trunk_and_operator() -> None:
    assert attempt(invite()).facts.trunk_state == "active"
    assert attempt(invite(), replace(ALPHA, state="suspended")).facts.trunk_state == "suspended"


def test_only_a_number_of_this_trunk_is_proven() -> None:
    assert attempt(invite()).proven
    assert not attempt(invite(b"P-Asserted-Identity: <sip:+8613900139000@x>")).proven
    assert not attempt(invite(b"Privacy: id")).proven
    for user in (b"+8657156780001", b"+8613900139000", b"+86571123400011", b"alice"):
        assert not attempt(invite(from_=b"<sip:" + user + b"@h>;tag=a")).proven
    assert not attempt(invite(uri=b"sip:+8657112340001@127.0.0.1"), CARRIER).proven
