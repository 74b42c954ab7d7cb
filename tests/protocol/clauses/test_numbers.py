"""Who calls, with which number, from which trunk: A01, A10 to A34, A41, A43, B02 to B06."""

from __future__ import annotations

import pytest

from gateway.registry.registry import Registry
from tests.protocol.clauses.site import (
    CALL_CENTRE,
    CODE,
    DRAFT,
    FREEPHONE,
    INBOUND_CODE,
    NOON,
    PROVINCIAL,
    RANGES,
    SHOP,
    SMS,
    TRUNKS,
    Site,
    block,
    snapshot,
)


def test_a01_an_empty_registry_lets_nobody_out_but_emergency_calls() -> None:
    site = Site(ranges=())
    rules = {site.call(callee=b"+86138%08d" % number).rule for number in range(100)}
    assert rules == {"number-unassigned"} and not site.asked
    for code in (b"110", b"119", b"120", b"122"):
        assert site.call(callee=code).allowed


@pytest.mark.parametrize("outbound", [True, False])
@pytest.mark.parametrize("inbound", [True, False])
def test_a10_a12_directions_are_those_of_the_certificate(outbound: bool, inbound: bool) -> None:
    site = Site(ranges=(block("alpha-95", CODE, "alpha", outbound=outbound, inbound=inbound),))
    assert site.call().rule == ("allow" if outbound else "direction-outbound")
    assert site.inbound().rule == ("allow" if inbound else "direction-inbound")


def test_a10_a_number_is_inbound_only_unless_it_says_otherwise() -> None:
    site = Site()
    assert site.call(caller=INBOUND_CODE).rule == "direction-outbound"
    assert site.inbound(INBOUND_CODE).allowed


def test_a13_a18_only_filed_and_enabled_numbers_from_their_second_on() -> None:
    for state in ("assigned", "filed", "suspended", "recalled"):
        site = Site(ranges=(block("alpha-95", CODE, "alpha", state=state),))
        assert site.call().rule == "number-inactive", state
    site = Site(ranges=(block("alpha-95", CODE, "alpha", steps=((NOON, "recalled"),)),))
    assert site.call(when=NOON - 1).allowed and site.call(when=NOON).rule == "number-inactive"


def test_a14_calls_leave_by_the_filed_carrier_alone() -> None:
    assert Site(ranges=(block("alpha-95", CODE, "alpha", carriers=("Telecom",)),)).call().allowed
    refused = Site(ranges=(block("alpha-95", CODE, "alpha", carriers=("Mobile",)),)).call()
    assert refused.rule == "operator-admission" and refused.reason.startswith("A14")


def test_a16_a17_another_operators_number_is_refused_and_both_are_named() -> None:
    site = Site()
    refused = site.call(caller=SHOP)
    assert (refused.rule, refused.reason) == ("number-foreign", "caller number belongs to shop, not to alpha")
    assert site.house.record.operator == "shop" and site.house.record.trunk == "cc-alpha"


@pytest.mark.parametrize("digits", [5, 7, 9])
def test_a19_a26_the_length_is_never_changed(digits: int) -> None:
    site = Site()
    assert site.call(caller=(CODE + b"4")[:digits]).rule == "number-length"
    assert site.call(caller=CODE).allowed


def test_a25_ordinary_users_numbers_are_not_for_call_centres() -> None:
    site = Site()
    refused = site.call(caller=b"+8613700137000")
    assert refused.rule == "operator-admission" and refused.reason.startswith("A25")
    assert site.call(caller=b"+8613700137001", trunk="shop").allowed, "own customers, own number"


def test_a33_the_right_number_from_the_wrong_trunk() -> None:
    ranges = (block("alpha-95", CODE, "alpha", trunks=("cc-alpha-2",)),)
    assert Site(ranges=ranges).call().rule == "number-trunk"
    asserted = b"P-Asserted-Identity: <sip:95013124@127.0.1.1>"
    assert Site().call(asserted).rule == "caller-mismatch"


HIDDEN = b'"Anonymous" <sip:anonymous@anonymous.invalid>;tag=a1'
FORMS = [
    ((), HIDDEN, "caller-hidden"),
    ((b"Privacy: id",), b"", "caller-hidden"),
    ((b"Remote-Party-ID: <sip:95013123@127.0.1.1>;privacy=full",), b"", "caller-hidden"),
    ((), b"<sip:unknown@127.0.1.1>;tag=a1", "caller-hidden"),
    ((), b"<sip:127.0.1.1>;tag=a1", "caller-missing"),
    ((), b"<sip:95013123@127.0.1.1;isub=1>;tag=a1", "caller-malformed"),
    ((), b"<sip:*6795013123@127.0.1.1>;tag=a1", "caller-malformed"),
    ((b"P-Asserted-Identity: <sip:+8613800138000@127.0.1.1>",), b"", "caller-mismatch"),
    ((b"Diversion: <sip:+8613800138000@127.0.1.1>",), b"", "caller-mismatch"),
    ((b"Call-Info: <sip:+8613800138000@127.0.1.1>;purpose=callback",), b"", "caller-mismatch"),
]


@pytest.mark.parametrize(("lines", "from_", "rule"), FORMS)
def test_a34_b04_b05_hidden_and_altered_forms_are_refused(lines: tuple[bytes, ...], from_: bytes, rule: str) -> None:
    for pack_name in (CALL_CENTRE, DRAFT):
        site = Site(pack_name)
        assert site.call(*lines, from_=from_).rule == rule
        assert not site.asked


def test_a41_a_trunk_nobody_knows_is_nobodys() -> None:
    registry = Registry(snapshot())
    assert registry.trunk_by_source("main", "10.9.9.9") is None
    assert registry.trunk_by_source("main", "127.0.1.1") == TRUNKS["alpha"]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (b"Replaces: a@b;to-tag=1;from-tag=2", "transfer"),
        (b"Route: <sip:10.0.0.1;lr>", "route-forced"),
        (b"History-Info: <sip:+8613900139000@127.0.1.1>;index=1", "caller-mismatch"),
        (b"Referred-By: <sip:+8613800138000@127.0.1.1>", "caller-mismatch"),
    ],
)
def test_a43_transfer_platforms(line: bytes, rule: str) -> None:
    assert Site().call(line).rule == rule


@pytest.mark.parametrize("caller", [SMS, FREEPHONE])
def test_b02_codes_for_messages_and_400_never_call(caller: bytes) -> None:
    verdict = Site(DRAFT).call(caller=caller, trunk="shop")
    assert verdict.rule == "number-scope", "though its range says it may call out"


def test_b02_a_provincial_code_is_used_in_its_province() -> None:
    assert Site(DRAFT).call(caller=PROVINCIAL, trunk="shop").allowed
    elsewhere = tuple(row for row in RANGES if row.id != "shop-96")
    moved = (*elsewhere, block("shop-96", PROVINCIAL, "shop", regions=("Beijing",)))
    assert Site(DRAFT, ranges=moved).call(caller=PROVINCIAL, trunk="shop").rule == "number-scope"


def test_b03_a_number_keeps_to_its_length_and_filed_purpose() -> None:
    rows = (block("shop-geo", SHOP, "shop", purposes=("consultation",)),)
    site = Site(DRAFT, ranges=rows)
    assert site.call(caller=SHOP, trunk="shop").allowed
    assert site.call(b"X-Purpose: notification", caller=SHOP, trunk="shop").rule == "purpose"
    assert site.call(caller=SHOP + b"9", trunk="shop").rule == "number-length"


def test_b06_a_number_let_to_somebody_else() -> None:
    assert Site(DRAFT).call(caller=b"95013999", trunk="shop").rule == "number-foreign"
