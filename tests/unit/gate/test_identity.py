"""The caller number: what agrees, what hides, what contradicts (RULES Part 2(d), forms by number)."""

from __future__ import annotations

import base64
import json

import pytest

from gateway.gate.identity import IDENTITY_HEADERS, derive_caller, presented_headers
from gateway.registry.model import Trunk
from gateway.sip import RemoteProtocolError, parse_uri
from gateway.gate.userpart import read_user
from policies.facts import CALLER_HIDDEN, CALLER_MALFORMED, CALLER_MISMATCH, CALLER_MISSING, CALLER_OK
from tests.unit.gate.calls import ALPHA, CALLER, STRICT, invite, registry

OTHER = b"+8613900139000"


def caller(*lines: bytes, trunk: Trunk = ALPHA, **fields: bytes) -> tuple[str, str]:
    identity = derive_caller(invite(*lines, **fields), trunk, registry().plan)
    return identity.status, identity.detail


def passport(orig: object, dest: object) -> bytes:
    parts = [{"alg": "ES256", "ppt": "shaken", "typ": "passport"}, {"iat": 1, "orig": orig, "dest": dest}]
    text = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    return b"Identity: " + b".".join([*text, b"c2ln"]) + b";info=<https://c.example/c>;alg=ES256;ppt=shaken"


PASS = {
    "From alone": [],
    "P-Asserted-Identity agrees": [b"P-Asserted-Identity: <sip:+8657112340001@pbx.example>"],
    "sip and tel pair, one line": [
        b"P-Asserted-Identity: <sip:+8657112340001@pbx.example>, <tel:+86-571-1234-0001>"
    ],
    "sip and tel pair, two lines": [
        b"P-Asserted-Identity: <sip:+8657112340001@pbx.example>",
        b"P-Asserted-Identity: <tel:+8657112340001>",
    ],
    "pair folded": [b"P-Asserted-Identity: <sip:+8657112340001@pbx.example>,\r\n <tel:+8657112340001>"],
    "comma inside quotes": [b'P-Asserted-Identity: "Alpha, Hangzhou" <sip:+8657112340001@pbx.example>'],
    "addr-spec without brackets": [b"P-Asserted-Identity: sip:+8657112340001@pbx.example"],
    "blank and tab before the colon": [b"P-Asserted-Identity \t: <sip:+8657112340001@pbx.example>"],
    "another case": [b"p-asserted-IDENTITY: <sip:+8657112340001@pbx.example>"],
    "national form beside international": [b"P-Asserted-Identity: <sip:057112340001@pbx.example>"],
    "preferred alone": [b"P-Preferred-Identity: <sip:+8657112340001@pbx.example>"],
    "Remote-Party-ID agrees": [b"Remote-Party-ID: <sip:+8657112340001@x>;party=calling;screen=yes;privacy=off"],
    "privacy none": [b"Privacy: none"],
    "privacy of the session": [b"Privacy: session;critical"],
    "diversion by itself": [b"Diversion: <sip:+8657112340001@x>;reason=unconditional"],
    "history of a call nobody forwarded": [b"History-Info: <sip:+8613800138000@127.0.0.1>;index=1"],
    "call-info is a page": [b"Call-Info: <https://alpha.example/13900139000>;purpose=info"],
    "call-info is the caller": [b"Call-Info: <tel:+8657112340001>;purpose=info"],
    "reply-to a name": [b"Reply-To: <sip:desk@alpha.example>"],
    "referred by the caller": [b"Referred-By: <sip:+8657112340001@x>"],
    "compact form of Referred-By": [b"b: <sip:+8657112340001@x>"],
    "identity for this call": [passport({"tn": "8657112340001"}, {"tn": ["8613800138000"]})],
    "identity in compact form": [b"Identity: ..c2ln;info=<https://c.example/c>;alg=ES256;ppt=shaken"],
    "unknown header": [b"P-Asserted-Identity-X: <sip:+8613900139000@x>"],
}


@pytest.mark.parametrize("lines", PASS.values(), ids=PASS.keys())
def test_agreement_passes(lines: list[bytes]) -> None:
    assert caller(*lines) == (CALLER_OK, "")


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


@pytest.mark.parametrize(
    "line",
    [
        b"Privacy: id",
        b"Privacy: ID",
        b"privacy : user",
        b"Privacy: header",
        b"Privacy: none;id",
        b"Privacy: critical; id",
        b"Privacy: none, user",
        b'Privacy: "id"',
        b"Privacy:\r\n id",
        b"Privacy: none\r\nPrivacy: id",
        b"Privacy: x-hide",
        b"Remote-Party-ID: <sip:+8657112340001@x>;privacy=full",
        b"Remote-Party-ID: <sip:+8657112340001@x>;screen=yes;Privacy=uri",
        b"Remote-Party-ID: <sip:+8657112340001@x>;privacy=off;privacy=full",
        b"P-Asserted-Identity: <sip:anonymous@anonymous.invalid>",
        b'P-Asserted-Identity: "Anonymous" <sip:+8657112340001@x>',
        b"P-Preferred-Identity: <sip:restricted@x>",
    ],
)
def test_hidden_by_another_header(line: bytes) -> None:
    """Forms 4 and 5: in any case, list or number of headers."""
    status, detail = caller(line)
    assert status == CALLER_HIDDEN
    assert detail.split()[0].encode() == line.split(b":")[0].strip().title().replace(b"Id", b"ID") or detail


def test_hiding_goes_before_contradiction() -> None:
    assert caller(b"P-Asserted-Identity: <sip:+8613900139000@x>", b"Privacy: id") == (CALLER_HIDDEN, "Privacy")
    assert caller(b"Privacy: id", from_=b"<sip:alice@h>;tag=a") == (CALLER_HIDDEN, "Privacy")


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


MISMATCH = {
    "7": (b"P-Asserted-Identity: <sip:+8613900139000@x>", "From / P-Asserted-Identity"),
    "7 unreadable": (b"P-Asserted-Identity: <sip:alice@x>", "From / P-Asserted-Identity"),
    "7 empty": (b"P-Asserted-Identity:", "From / P-Asserted-Identity"),
    "7 broken": (b'P-Asserted-Identity: "x <sip:+8657112340001@x>', "From / P-Asserted-Identity"),
    "8 second differs": (
        b"P-Asserted-Identity: <sip:+8657112340001@x>, <tel:+8613900139000>",
        "From / P-Asserted-Identity",
    ),
    "8 second line differs": (
        b"P-Asserted-Identity: <sip:+8657112340001@x>\r\nP-Asserted-Identity: <tel:+8613900139000>",
        "From / P-Asserted-Identity",
    ),
    "8 three": (
        b"P-Asserted-Identity: <sip:+8657112340001@x>, <tel:+8657112340001>, <sip:+8657112340001@y>",
        "P-Asserted-Identity: more than two values",
    ),
    "8 two sip": (
        b"P-Asserted-Identity: <sip:+8657112340001@x>, <sips:+8657112340001@x>",
        "P-Asserted-Identity: two values of one scheme",
    ),
    "8 hidden behind a quoted comma": (
        b'P-Asserted-Identity: "a, b\\"" <sip:+8657112340001@x>, <tel:+8613900139000>',
        "From / P-Asserted-Identity",
    ),
    "9 name split by a fold": (b"X-A: b\r\n P-Asserted-Identity: c\r\nP-Preferred-Identity: <tel:+8613900139000>", "P"),
    "5 screen=no": (b"Remote-Party-ID: <sip:+8657112340001@x>;screen=no", "Remote-Party-ID screen"),
    "5 other number": (b"Remote-Party-ID: <sip:+8613900139000@x>;screen=yes", "From / Remote-Party-ID"),
    "17 asserted with ext": (b"P-Asserted-Identity: <tel:+8657112340001;ext=1>", "From / P-Asserted-Identity"),
    "19": (b"P-Preferred-Identity: <sip:+8613900139000@x>", "From / P-Preferred-Identity"),
    "20 Diversion": (b"Diversion: <sip:+8613900139000@x>;reason=unconditional", "From / Diversion"),
    "20 Diversion, second value": (
        b"Diversion: <sip:+8657112340001@x>;reason=no-answer, <tel:+8613900139000>",
        "From / Diversion",
    ),
    "20 Diversion of a name": (b"Diversion: <sip:queue@x>;reason=unknown", "From / Diversion"),
    "20 History-Info": (
        b"History-Info: <sip:+8613800138000@h>;index=1, <sip:+8613900139000@h>;index=1.1",
        "From / History-Info",
    ),
    "20 History-Info with a reason": (
        b"History-Info: <sip:+8613900139000@h?Reason=SIP%3Bcause%3D302>;index=1",
        "From / History-Info",
    ),
    "21 Referred-By": (b"Referred-By: <sip:+8613900139000@x>", "From / Referred-By"),
    "21 Referred-By, compact": (b"b: <sip:boss@x>", "From / Referred-By"),
    "26 Call-Info": (b"Call-Info: <tel:+8613900139000>;purpose=info", "From / Call-Info"),
    "26 Call-Info, second value": (
        b"Call-Info: <https://alpha.example/>, <sip:13900139000@x>;purpose=info",
        "From / Call-Info",
    ),
    "26 Reply-To": (b"Reply-To: <sip:+86-139-0013-9000@x;user=phone>", "From / Reply-To"),
    "24 other orig": (passport({"tn": "8613900139000"}, {"tn": ["8613800138000"]}), "From / Identity orig"),
    "24 other dest": (passport({"tn": "8657112340001"}, {"tn": ["8613900139000"]}), "From / Identity dest"),
    "24 no orig": (passport({"uri": "sip:a@b"}, {"tn": ["8613800138000"]}), "From / Identity orig"),
    "24 orig not text": (passport({"tn": 8657112340001}, {"tn": []}), "From / Identity"),
    "24 not base64 JSON": (b"Identity: aaaa.%%%%.cccc;info=<https://c.example/c>", "From / Identity"),
    "24 too long": (b"Identity: a." + b"A" * 8_000 + b"=.c;info=<https://c/c>", "From / Identity"),
    "24 nested deep": (
        b"Identity: a." + base64.urlsafe_b64encode(b'{"x":' + b"[" * 5_000).rstrip(b"=") + b".c",
        "From / Identity",
    ),
    "too many values": (b"Diversion: " + b", ".join([b"<sip:+8657112340001@x>"] * 17), "From / Diversion"),
    "commas only": (b"History-Info: " + b"," * 4_000, "From / History-Info"),
}


@pytest.mark.parametrize(("lines", "detail"), MISMATCH.values(), ids=MISMATCH.keys())
def test_mismatch(lines: bytes, detail: str) -> None:
    status, found = caller(*lines.split(b"\r\n")) if b"\r\n " not in lines else caller(lines)
    assert status == CALLER_MISMATCH
    assert found == detail or (detail == "P" and found == "From / P-Preferred-Identity")


@pytest.mark.parametrize(
    "contact",
    [
        b"<sip:+8613900139000@127.0.0.2:5060>",
        b"<sip:13900139000@127.0.0.2>",
        b"<sip:+86-139-0013-9000@127.0.0.2>",
        b"<sip:%2B8613900139000@127.0.0.2>",
        b"<sip:*6713900139000@127.0.0.2>",
        b"<sip:+8613900139000;tgrp=a@127.0.0.2>",
        b"<sip:+8613900139000:pw@127.0.0.2>",
        b'"Desk" <sip:+8613900139000@127.0.0.2>',
        b"sip:+8613900139000@127.0.0.2",
        b"<sip:desk@127.0.0.2>, <tel:+8613900139000>",
        b"<sip:+8657112340001@127.0.0.2>, <sip:+8613900139000@127.0.0.2>",
        b"<sip:+8613900139000@127.0.0.2;x=1>;expires=3600",
        b"<tel:+8613900139000>",
        b"<sips:99999999999999999999@127.0.0.2>",
        b"<sip:+8613900139000@bad_port:99999>",
    ],
)
def test_contact_with_another_number(contact: bytes) -> None:
    """Form 26."""
    assert caller(contact=contact) == (CALLER_MISMATCH, "From / Contact")


@pytest.mark.parametrize(
    "contact",
    [
        b"<sip:127.0.0.2:5060>",
        b"<sip:alpha@127.0.0.2>",
        b"<sip:8001@127.0.0.2>",
        b"<sip:agent-7@127.0.0.2;transport=udp>;+sip.instance=x",
        b"<sip:3f2a9d81723412ab@127.0.0.2;gr>",
        b"<sip:+8657112340001@127.0.0.2:5060;ob>",
        b"<sip:057112340001@127.0.0.2>",
        b"<sip:+86-571-1234-0001@127.0.0.2>",
        b"*",
    ],
)
def test_contact_that_names_nobody_else(contact: bytes) -> None:
    assert caller(contact=contact) == (CALLER_OK, "")


def test_isup_in_a_multipart() -> None:
    """Form 27, however the part is written."""
    part = b"--b\r\nContent-Type: Application/ISUP;version=itu-t92+\r\n\r\n\x01\x02\r\n--b--\r\n"
    kind = b"multipart/mixed;boundary=b"
    assert caller(body=part, content_type=kind) == (CALLER_MISMATCH, "ISUP body")
    assert caller(body=b"\x01", content_type=b"application/ISUP ; base=itu-t92+") == (CALLER_MISMATCH, "ISUP body")
    assert caller(b"Content-Encoding: gzip", body=b"\x1f\x8b", content_type=kind) == (CALLER_MISMATCH, "ISUP body")
    plain = b"--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b--\r\n"
    assert caller(body=plain, content_type=kind) == (CALLER_OK, "")


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
