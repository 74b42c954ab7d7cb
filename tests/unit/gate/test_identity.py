"""The caller number: what agrees, what hides, what contradicts (RULES Part 2(d), forms by number)."""

from __future__ import annotations

import pytest

from gateway.gate.identity import IDENTITY_HEADERS, derive_caller, presented_headers
from gateway.gate.userpart import read_user
from gateway.registry.model import Trunk
from gateway.sip import RemoteProtocolError, parse_uri
from policies.facts import CALLER_HIDDEN, CALLER_MALFORMED, CALLER_MISSING, CALLER_OK
from tests.unit.gate.calls import ALPHA, CALLER, STRICT, invite, registry


def caller(*lines: bytes, trunk: Trunk = ALPHA, **fields: bytes) -> tuple[str, str]:
    identity = derive_caller(invite(*lines, **fields), trunk, registry().plan)
    return identity.status, identity.detail


FROM_PASS = {
    "international": b"<sip:+8657112340001@127.0.0.2>;tag=a",
    "user=phone": b"<sip:+8657112340001@127.0.0.2;user=phone>;tag=a",
    "user=PHONE after transport": b"<sip:+8657112340001@h.example;transport=udp;User=PHONE>;tag=a",
    "sips": b"<sips:+8657112340001@h.example>;tag=a",
    "scheme in capitals": b"<SIP:+8657112340001@h.example>;tag=a",
    "no brackets": b"sip:+8657112340001@h.example;tag=a",
    "display-name": b'"Alpha Desk" <sip:+8657112340001@h.example>;tag=a',
    "IPv6": b"<sip:+8657112340001@[::1]:5060>;tag=a",
    "national": b"<sip:057112340001@h.example>;tag=a",
    "00": b"<sip:008657112340001@h.example>;tag=a",
    "no plus": b"<sip:8657112340001@h.example>;tag=a",
    "local, in the trunk's area": b"<sip:12340001@h.example>;tag=a",
    "tel": b"<tel:+8657112340001>;tag=a",
    "tel with separators": b"<tel:+86-571-1234.0001>;tag=a",
    "tel, national, context of the country": b"<tel:057112340001;phone-context=+86>;tag=a",
    "tel, local, context of the area": b"<tel:12340001;phone-context=+86-571>;tag=a",
    "escaped plus": b"<sip:%2B8657112340001@h.example>;tag=a",
    "escaped digits": b"<sip:+%38657112340001@h.example>;tag=a",
    "separators with user=phone": b"<sip:+86-571-12340001@h.example;user=phone>;tag=a",
    "other header parameter": b"<sip:+8657112340001@h.example>;x=1;tag=a",
}


@pytest.mark.parametrize("from_", FROM_PASS.values(), ids=FROM_PASS.keys())
def test_one_number_in_many_forms(from_: bytes) -> None:
    identity = derive_caller(invite(from_=from_), ALPHA, registry().plan)
    number = identity.number
    assert (identity.status, number and number.canonical) == (CALLER_OK, CALLER.decode()) or (
        number is not None and number.form == "local"
    )


def test_local_form_reads_in_the_trunks_area() -> None:
    identity = derive_caller(invite(from_=b"<sip:56780001@h.example>;tag=a"), ALPHA, registry().plan)
    assert identity.number is not None
    assert (identity.number.canonical, identity.number.form) == ("+8657156780001", "local")


HIDDEN = {
    "1 anonymous.invalid": b'"Anonymous" <sip:anonymous@anonymous.invalid>;tag=a',
    "1 without display": b"<sip:anonymous@anonymous.invalid>;tag=a",
    "1 number at anonymous.invalid": b"<sip:+8657112340001@anonymous.invalid>;tag=a",
    "1 in capitals, final dot": b"<sip:+8657112340001@ANONYMOUS.INVALID.>;tag=a",
    "1 display-name alone": b"Anonymous <sip:+8657112340001@h.example>;tag=a",
    "1 display-name quoted, blanks": b'" aNONYMOUS " <sip:+8657112340001@h.example>;tag=a',
    "1 display-name, quoted-pairs": b'"\\A\\nonymous" <sip:+8657112340001@h.example>;tag=a',
    **{
        f"2 {word}": b"<sip:" + word.encode() + b"@h.example>;tag=a"
        for word in ("anonymous", "unavailable", "Restricted", "UNKNOWN", "asterisk", "private")
    },
    "2 escaped": b"<sip:%61nonymous@h.example>;tag=a",
}


@pytest.mark.parametrize("from_", HIDDEN.values(), ids=HIDDEN.keys())
def test_hidden_in_from(from_: bytes) -> None:
    assert caller(from_=from_) == (CALLER_HIDDEN, "From")


@pytest.mark.parametrize("from_", [b"<sip:h.example>;tag=a", b"<sip:h.example:5060;user=phone>;tag=a"])
def test_missing(from_: bytes) -> None:
    """Form 3."""
    assert caller(from_=from_) == (CALLER_MISSING, "From: no user")


def test_missing_assertion_where_the_trunk_demands_it() -> None:
    """Form 6."""
    assert caller(trunk=STRICT) == (CALLER_MISSING, "P-Asserted-Identity")
    assert caller(b"P-Asserted-Identity: <sip:+8657112340001@x>", trunk=STRICT) == (CALLER_OK, "")


MALFORMED = {
    "3 empty user": (b"<sip:@h.example>;tag=a", "unreadable URI"),
    "10 number in the display-name only": (b'"+8657112340001" <sip:alice@h.example>;tag=a', "not digits"),
    "11 letters": (b"<sip:+8657112340001x@h.example>;tag=a", "not digits"),
    "11 letters of a keypad": (b"<sip:1380013FLWR@h.example>;tag=a", "not digits"),
    "11 full-width digits, escaped": (b"<sip:+86571%EF%BC%91@h.example>;tag=a", "not digits"),
    "11 escaped twice": (b"<sip:%252B8657112340001@h.example>;tag=a", "not digits"),
    "11 escaped blank": (b"<sip:+86571%2012340001@h.example>;tag=a", "not digits"),
    "11 escaped NUL": (b"<sip:+8657112340001%00@h.example>;tag=a", "not digits"),
    "11 escaped line end": (b"<sip:+8657112340001%0D%0A@h.example>;tag=a", "not digits"),
    "11 escaped zero-width space": (b"<sip:+86571%E2%80%8B12340001@h.example>;tag=a", "not digits"),
    "11 separators": (b"<sip:+86-571-1234-0001@h.example>;tag=a", "not digits"),
    "11 two plus signs": (b"<sip:++8657112340001@h.example>;tag=a", "not digits"),
    "12 *67": (b"<sip:*67057112340001@h.example>;tag=a", "not digits"),
    "12 #31#": (b"<sip:%2331%23057112340001@h.example>;tag=a", "not digits"),
    "12 *31*": (b"<sip:*31*057112340001@h.example>;tag=a", "not digits"),
    "13 one digit more": (b"<sip:+86571123400011@h.example>;tag=a", "no number of the plan"),
    "14 trunk 0 after +86": (b"<sip:+86057112340001@h.example>;tag=a", "no number of the plan"),
    "15 carrier prefix 17951": (b"<sip:17951057112340001@h.example>;tag=a", "no number of the plan"),
    "15 carrier prefix 12593": (b"<sip:1259313800138000@h.example>;tag=a", "no number of the plan"),
    "17 other context": (b"<tel:057112340001;phone-context=+1>;tag=a", "phone-context"),
    "17 context a domain": (b"<tel:057112340001;phone-context=alpha.example>;tag=a", "phone-context"),
    "17 context on a global number": (b"<tel:+8657112340001;phone-context=+86>;tag=a", "phone-context"),
    **{
        f"17 tel {name}": (b"<tel:+8657112340001;" + name.encode() + b"=1>;tag=a", name)
        for name in ("isub", "ext", "cpc", "oli", "verstat", "rn")
    },
    **{
        f"17 sip {name}": (b"<sip:+8657112340001@h.example;" + name.encode() + b"=1>;tag=a", name)
        for name in ("isub", "ext", "cpc", "oli", "verstat", "rn", "phone-context")
    },
    "17 escaped parameter name": (b"<sip:+8657112340001@h.example;%72n=1>;tag=a", "rn"),
    "17 behind the tag": (b"<sip:+8657112340001@h.example>;tag=a;verstat=TN-Validation-Passed", "verstat"),
    "18 user=ip": (b"<sip:+8657112340001@h.example;user=ip>;tag=a", "URI parameter"),
    "18 user=dialstring": (b"<sip:+8657112340001@h.example;user=dialstring>;tag=a", "URI parameter"),
    "password": (b"<sip:+8657112340001:secret@h.example>;tag=a", "password"),
    "RFC 4904 trunk group": (b"<sip:+8657112340001;tgrp=a;trunk-context=b@h.example>;tag=a", "user parameter"),
    "RFC 4904 escaped": (b"<sip:+8657112340001%3Btgrp=a@h.example>;tag=a", "user parameter"),
    "two @": (b"<sip:+8657112340001@h@h.example>;tag=a", "unreadable URI"),
    "headers in the URI": (b"<sip:+8657112340001@h.example?Subject=x>;tag=a", "URI headers"),
    "tag in the URI": (b"<sip:+8657112340001@h.example;tag=b>;tag=a", "URI parameter"),
    "web address": (b"<https://alpha.example/>;tag=a", "unreadable URI"),
    "port out of range": (b"<sip:+8657112340001@h.example:99999>;tag=a", "unreadable URI"),
}


@pytest.mark.parametrize(("from_", "detail"), MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed(from_: bytes, detail: str) -> None:
    assert caller(from_=from_) == (CALLER_MALFORMED, "From: " + detail)


def test_area_code_before_a_service_code_is_another_number() -> None:
    """Form 16."""
    identity = derive_caller(invite(from_=b"<sip:057195013123@h.example>;tag=a"), ALPHA, registry().plan)
    assert identity.number is None or identity.number.canonical != "95013123"


@pytest.mark.parametrize(
    "line",
    [
        b"f: <sip:+8613900139000@x>;tag=z",
        b"From: <sip:+8613900139000@x>;tag=z",
        b"FROM : <sip:+8613900139000@x>;tag=z",
        b"P-Asserted-Identity\x0b: <sip:+8613900139000@x>",
        b"P-Asserted-Identity\xc2\xa0: <sip:+8613900139000@x>",
        b"P-Asserted-Identity\x00: <sip:+8613900139000@x>",
        b"X-A: b\nP-Asserted-Identity: <sip:+8613900139000@x>",
        b"X-A: b\rP-Asserted-Identity: <sip:+8613900139000@x>",
    ],
)
def test_smuggled_headers_never_reach_the_gate(line: bytes) -> None:
    """Form 9: the parser refuses the message whole."""
    with pytest.raises(RemoteProtocolError):
        invite(line)


def test_details_name_no_number() -> None:
    digits = frozenset("0123456789")
    for from_, _ in MALFORMED.values():
        assert not digits & set(caller(from_=from_)[1])


def test_presented_keeps_the_bytes() -> None:
    identity = derive_caller(invite(from_=b"<sip:%2B8657112340001@h.example>;tag=a"), ALPHA, registry().plan)
    assert identity.presented == b"sip:%2B8657112340001@h.example"
    assert identity.digits == CALLER


def test_presented_headers_are_those_of_the_list() -> None:
    request = invite(b"P-Asserted-Identity: <sip:+8657112340001@x>", b"Privacy: none", b"Subject: hello")
    names = [name for name, _ in presented_headers(request.headers)]
    assert names == [b"From", b"Contact", b"P-Asserted-Identity", b"Privacy"]
    assert set(names) <= IDENTITY_HEADERS


def test_read_user_reads_a_parsed_uri() -> None:
    plan = registry().plan
    number = read_user(parse_uri(b"tel:95588;phone-context=+86"), ALPHA, plan)
    assert number is not None
    assert number.canonical == "95588"
    assert read_user(parse_uri(b"sip:alice@h"), ALPHA, plan) is None
    assert read_user(parse_uri(b"tel:*67"), ALPHA, plan) is None
