"""Headers that agree with From, hide the caller or contradict him (RULES Part 2(d), forms by number)."""

from __future__ import annotations

import base64
import json
from types import ModuleType

import pytest

from gateway.compiled import COMPILED
from gateway.gate import agreement
from gateway.gate.agreement import MAX_ADDRESSES, MAX_VALUES
from gateway.gate.identity import derive_caller
from gateway.registry.model import Trunk
from policies.facts import CALLER_HIDDEN, CALLER_MISMATCH, CALLER_OK
from tests.unit.gate.calls import ALPHA, invite, registry


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
    "sip and tel pair, one line": [b"P-Asserted-Identity: <sip:+8657112340001@pbx.example>, <tel:+86-571-1234-0001>"],
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
    assert detail in ("Privacy", "Remote-Party-ID privacy", "P-Asserted-Identity", "P-Preferred-Identity")


def test_hiding_goes_before_contradiction() -> None:
    assert caller(b"P-Asserted-Identity: <sip:+8613900139000@x>", b"Privacy: id") == (CALLER_HIDDEN, "Privacy")
    assert caller(b"Privacy: id", from_=b"<sip:alice@h>;tag=a") == (CALLER_HIDDEN, "Privacy")


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
    "9 after a fold that looks like a header": (
        b"X-A: b\r\n P-Asserted-Identity: <sip:+8657112340001@x>\r\nP-Asserted-Identity: <tel:+8613900139000>",
        "From / P-Asserted-Identity",
    ),
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
    assert caller(lines) == (CALLER_MISMATCH, detail)


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
        b"<tel:+8657112340001;ext=13900139000>",
        b"<sip:desk@127.0.0.2;rn=+8613900139000>",
        b"<sip:127.0.0.2;ext=13900139000>",
        b"<sip:desk@127.0.0.2?Reply-To=13900139000>",
        b"<sip:+8657112340001;isub=13900139000@127.0.0.2>",
        b"<sip:+8657112340001:13900139000@127.0.0.2>",
        b"<sips:99999999999999999999@127.0.0.2>",
        b"<sip:+8613900139000@bad_port:99999>",
        b"<sip:95588@127.0.0.2>",
        b"<sip:13900139000,@127.0.0.2>",
        b"<sip:1390013$9000@127.0.0.2>",
        b"<sip:n13900139000@127.0.0.2>",
        b"<sip:1x3x9x0x0x1x3x9@127.0.0.2>",
        b"<sip:13%3B900139000@127.0.0.2>",
        b"<sip:%EF%BC%91%EF%BC%93%EF%BC%99%EF%BC%90%EF%BC%90@127.0.0.2>",
        b"<sip:%C2%A013900139000@127.0.0.2>",
        b"<sip:3f2a9d81723412ab@127.0.0.2;gr>",
        b"<sip:13900139000>",
        b"<sip:desk:13900139000@127.0.0.2>",
        b"<sip:127.0.0.2>;verstat=TN-Validation-Passed",
        b"<sip:127.0.0.2?Replaces=abc>",
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
        b"<sip:3f2a9d8c@127.0.0.2;gr>",
        b"<sip:1234@127.0.0.2>",
        b"<sip:n-8657112340001@127.0.0.2>",
        b"<sip:%E5%AE%A2%E6%9C%8D@127.0.0.2>",
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
    isup = (CALLER_MISMATCH, "body: application/isup")
    assert caller(body=part, content_type=kind) == isup
    assert caller(body=b"\x01", content_type=b"application/ISUP ; base=itu-t92+") == isup
    encoded = (CALLER_MISMATCH, "body: encoded")
    assert caller(b"Content-Encoding: gzip", body=b"\x1f\x8b", content_type=kind) == encoded
    assert caller(b"Content-Encoding: gzip", body=b"\x1f\x8b") == encoded
    plain = b"--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b--\r\n"
    assert caller(body=plain, content_type=kind) == (CALLER_OK, "")


@pytest.mark.parametrize("kind", [b"application/gtd", b"application/q931", b"message/sip"])
def test_a_body_that_may_name_another_caller(kind: bytes) -> None:
    assert caller(body=b"CGN,04,,1,y,4,13900139000\r\n", content_type=kind) == (
        CALLER_MISMATCH,
        "body: " + kind.decode(),
    )


HEADERS_OF_ONE_MESSAGE = {
    "Privacy": (b"Privacy: " + b"none;" * 48 + b"none", CALLER_HIDDEN),
    "History-Info": (b"History-Info: " + b", ".join([b"<sip:+8613800138000@h>"] * 12), CALLER_MISMATCH),
    "History-Info of one": (b"History-Info: <sip:+8613800138000@h>;index=1", CALLER_MISMATCH),
    "P-Asserted-Identity": (b"P-Asserted-Identity: <sip:+8657112340001@h>", CALLER_MISMATCH),
    "Identity": (b"Identity: ..c2ln;info=<https://c.example/c>", CALLER_OK),
    "Remote-Party-ID": (b'Remote-Party-ID: "' + b"\\a" * 100 + b'" <sip:+8657112340001@h>', CALLER_MISMATCH),
}


@pytest.mark.parametrize(("line", "status"), HEADERS_OF_ONE_MESSAGE.values(), ids=HEADERS_OF_ONE_MESSAGE.keys())
def test_work_is_bounded_over_the_whole_message(line: bytes, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred lines cost no more than a handful: Privacy is read once, addresses and passports are counted."""
    read = counted(monkeypatch, agreement, "parse_name_addr", "asks_to_hide", "contradiction", "read_target")
    assert caller(*[line] * 200)[0] in (status, CALLER_MISMATCH)
    assert read["asks_to_hide"] == (line[:8] == b"Privacy:") or COMPILED  # native calls are not seen
    assert read["parse_name_addr"] + read["contradiction"] <= MAX_ADDRESSES
    assert read["read_target"] <= 1


def test_addresses_of_all_headers_are_counted_together() -> None:
    full = b"History-Info: " + b", ".join([b"<sip:+8613800138000@h>"] * MAX_VALUES)
    assert caller(full, full) == (CALLER_OK, "")
    assert caller(full, full, b"Diversion: <sip:+8657112340001@x>") == (CALLER_MISMATCH, "From / Diversion")


def counted(monkeypatch: pytest.MonkeyPatch, module: ModuleType, *names: str) -> dict[str, int]:
    """How often each of these functions is called from `module`, from now on."""
    calls = dict.fromkeys(names, 0)

    def count(name: str) -> None:
        real = getattr(module, name)

        def call(*args: object) -> object:
            calls[name] += 1
            return real(*args)

        monkeypatch.setattr(module, name, call)

    for name in names:
        count(name)
    return calls
