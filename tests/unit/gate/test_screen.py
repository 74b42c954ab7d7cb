"""What leaves: headers verified, replaced, removed; identity and transfer inside a dialog; ISUP bodies."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.gate.screen import DIALOG_IDENTITY, TRANSFER, screen_request, screen_response
from gateway.sip import Headers, Request, parse, write_request
from gateway.sip.screened import Screened
from tests.unit.gate.calls import (
    ALPHA,
    CARRIER,
    FROM,
    SDP,
    TO,
    TRUSTED,
    TRUSTED_ACCESS,
    answer,
    attempt,
    invite,
    registry,
)

HOST = b"127.0.0.1:5060"
TAGGED = TO + b";tag=b2"
OWN = b"P-Asserted-Identity: <sip:+8657112340001@127.0.0.2>"
OTHER = b"<sip:+8613900139000@x>"
ASSERTED = (b"P-Asserted-Identity", b"<sip:+8657112340001@127.0.0.1:5060;user=phone>")
ISUP = (
    b"--b\r\nContent-Type: application/sdp\r\n\r\n"
    + SDP
    + b"\r\n--b\r\nContent-Type: application/isup\r\n\r\n\x01\r\n--b--"
)


def leaving(request: Request, from_uri: bytes = b"") -> Screened:
    """An initial or in-dialog request from alpha to the carrier, asserted as the gate asserts it."""
    number = attempt(request).caller.number
    return screen_request(request, ALPHA, CARRIER, number, registry().plan, HOST, from_uri)


def values(headers: Headers, name: bytes) -> list[bytes]:
    return [value for key, value in headers if key.lower() == name.lower()]


def test_an_ordinary_invite_gains_the_assertion_and_loses_nothing() -> None:
    request = invite(b"Session-Expires: 1800", b"X-Campaign: spring", b"Privacy: none")
    screened = leaving(request)
    assert (screened.refusal, screened.detail, screened.body) == ("", "", SDP)
    assert screened.headers == [*request.headers, ASSERTED]
    assert screened.headers is not request.headers


REMOVED = [
    b"P-Asserted-Identity: <sip:+8657112340001@127.0.0.2>, <tel:+8657112340001>",
    b"P-Preferred-Identity: <sip:+8657112340001@127.0.0.2>",
    b"Remote-Party-ID: <sip:+8657112340001@127.0.0.2>;privacy=off",
    b"Diversion: <sip:+8657112340001@127.0.0.2>",
    b"diversion: <sip:+8657112340001@127.0.0.2>",
    b"History-Info: <sip:+8613800138000@127.0.0.1>;index=1",
    b"Referred-By: <sip:+8657112340001@127.0.0.2>",
    b"b: <sip:+8657112340001@127.0.0.2>",
    b"Call-Info: <https://alpha.example/>;purpose=info",
    b"Reply-To: <sip:desk@alpha.example>",
    b"Identity: ..sig;info=<https://c.example/c>",
    b"y: ..sig;info=<https://c.example/c>",
    b"Identity-Info: <https://c.example/c>",
    b"P-Charge-Info: <tel:+8613900139000>",
    b"p-served-user: <tel:+8613900139000>",
    b"P-DCS-Trace-Party-ID: <tel:+8613900139000>",
    b"Additional-Identity: <tel:+8613900139000>",
    b"Attestation-Info: A",
    b"origination-ID: 1",
    b"cc-DIVERSION: <tel:+8613900139000>",
    b"RPID-Privacy: full",
    b"Anonymity: on",
    b'Authorization: Digest username="13900139000"',
    b'Proxy-Authorization: Digest username="13900139000"',
    b"X-Caller-ID: 13900139000",
    b"P%2DAsserted-Identity: <sip:13900139000@x>",
    b"X-Note!: 1",
    b"X'Note: 1",
    b"p-caller-id: <sip:+8613900139000@x>",
    b"X-Original-CLI: 13900139000",
    b"X-RPID: <sip:+8613900139000@x>",
    b"X-Calling-Party: 1",
    b"X-CallID: 1",
    b"X-ANI: 1",
    b"X-Charge-Number: 1",
    b"X-Billing: 1",
    b"Alert-Info: <sip:+8613900139000@x>",
    b"Alert-Info: <TEL:10086>",
    b"User-to-User: 13900139000",
    b"User-to-User: 139-0013-9000;encoding=x",
    b"X-A: a\xe2\x80\xa8From: <sip:13900139000@x>",
    b"Subject: a\x85From: <sip:13900139000@x>",
    b'Reason: Q.850;text="\xc2\x85"',
]


@pytest.mark.parametrize("line", REMOVED)
def test_identity_from_access_never_leaves_as_it_came(line: bytes) -> None:
    screened = leaving(invite(line))
    assert screened.refusal == ""
    assert screened.headers == [*invite().headers, ASSERTED]


def test_what_tells_nothing_about_a_caller_leaves() -> None:
    lines = (
        *(b"X-Campaign: spring", b"Alert-Info: <urn:alert:service:normal>", b"User-to-User: 8657112340001"),
        *(b"X-A: \xe5\x85\x83", b"Subject: \xe5\x85\x83", b"P-Charging-Vector: icid-value=1"),
    )
    assert leaving(invite(*lines)).headers == [*invite(*lines).headers, ASSERTED]


def test_towards_access_nothing_leaves_that_splits_into_lines() -> None:
    request = invite(b"Subject: a\xe2\x80\xa8b", b"X-A: a\x85b", b"X-B: c")
    for pair in ((CARRIER, ALPHA), (TRUSTED, TRUSTED_ACCESS)):
        assert screen_request(request, *pair, None, registry().plan).headers == invite(b"X-B: c").headers


def test_nothing_is_asserted_without_a_verified_number() -> None:
    screened = screen_request(invite(OWN), ALPHA, CARRIER, None, registry().plan, HOST)
    assert values(screened.headers, b"P-Asserted-Identity") == []


def test_what_leaves_is_what_a_second_reading_finds() -> None:
    """Written and parsed again, every identity header names the gated number."""
    request = invite(
        b"P-Asserted-Identity \t:\r\n <tel:+86-571-1234-0001> ,\r\n\t<sip:057112340001@x>",
        from_=b'"13900139000" <sip:%2B8657112340001@127.0.0.2>;tag=a1',
    )
    screened = leaving(request)
    again = parse(write_request(request.method, request.uri, screened.headers, screened.body))
    assert isinstance(again, Request)
    assert (again.from_.display, again.from_.uri, again.from_.tag) == (b"", b"sip:+8657112340001@127.0.0.2", b"a1")
    assert again.get_all(b"P-Asserted-Identity") == [ASSERTED[1]]
    reading = attempt(again).caller
    assert reading.number is not None
    assert (reading.status, reading.number.canonical) == ("ok", "+8657112340001")


FROM_LEAVES = {
    "as received": (FROM, FROM),
    "national": (b"<sip:057112340001@h>;tag=a", b"<sip:057112340001@h>;tag=a"),
    "no brackets": (b"sip:+8657112340001@h;tag=a", b"sip:+8657112340001@h;tag=a"),
    "letters": (b'"Alpha Desk" <sip:+8657112340001@h>;tag=a', b'"Alpha Desk" <sip:+8657112340001@h>;tag=a'),
    "own number": (b'"057112340001" <sip:+8657112340001@h>;tag=a', b'"057112340001" <sip:+8657112340001@h>;tag=a'),
    "own number, unquoted": (b"+8657112340001 <sip:+8657112340001@h>;tag=a",) * 2,
    "other number": (b'"13900139000" <sip:+8657112340001@h>;tag=a;x=1', b"<sip:+8657112340001@h>;tag=a;x=1"),
    "other number in text": (b'"call 139 0013 9000" <sip:+8657112340001@h>;tag=a', b"<sip:+8657112340001@h>;tag=a"),
    "URI in quotes": (b'"<sip:x@h>;tag=z" <sip:+8657112340001@h>;tag=a', b"<sip:+8657112340001@h>;tag=a"),
    "escaped quotes": (b'"a\\"<sip:x@h>" <sip:+8657112340001@h>;tag=a', b"<sip:+8657112340001@h>;tag=a"),
    "full-width digits": (
        '"１３９００１３９０００" <sip:+8657112340001@h>;tag=a'.encode(),
        b"<sip:+8657112340001@h>;tag=a",
    ),
    "Han numerals": ('"一三九零零一三九" <sip:+8657112340001@h>;tag=a'.encode(), b"<sip:+8657112340001@h>;tag=a"),
    "bidi control": ('"Al\u202epha" <sip:+8657112340001@h>;tag=a'.encode(), b"<sip:+8657112340001@h>;tag=a"),
    "Han name": ('"杭州第一银行" <sip:+8657112340001@h>;tag=a'.encode(),) * 2,
    "escaped plus": (b"<sip:%2B8657112340001@H;user=phone>;tag=a", b"<sip:+8657112340001@h;user=phone>;tag=a"),
    "escaped digit, name kept": (
        b'"Desk" <sips:+%38657112340001@h:5061;lr>;tag=a',
        b'"Desk" <sips:+8657112340001@h:5061;lr>;tag=a',
    ),
    "quoted parameter": (
        b'<sip:+8657112340001@h>;tag=a;x="<sip:13900139000@y>";z=1',
        b"<sip:+8657112340001@h>;tag=a;z=1",
    ),
    "quoted parameter, no brackets": (
        b'sip:+8657112340001@h;tag=a;x="<sip:13900139000@y>"',
        b"<sip:+8657112340001@h>;tag=a",
    ),
    "tel with separators": (b"<tel:+86-571-12340001>;tag=a", b"<tel:+8657112340001>;tag=a"),
    "tel with context": (b"<tel:0571-12340001;phone-context=+86>;tag=a", b"<tel:057112340001;phone-context=+86>;tag=a"),
}


@pytest.mark.parametrize(("received", "left"), FROM_LEAVES.values(), ids=FROM_LEAVES.keys())
def test_from_leaves_as_received_or_equivalent(received: bytes, left: bytes) -> None:
    assert values(leaving(invite(from_=received)).headers, b"From") == [left]


def test_to_and_contact_lose_another_number_in_the_display_name() -> None:
    request = invite(
        to=b'"13900139000" <sip:+8613800138000@127.0.0.1>',
        contact=b'"13900139000" <sip:desk@127.0.0.2:5060;ob>;expires=60',
    )
    headers = leaving(request).headers
    assert values(headers, b"To") == [b"<sip:+8613800138000@127.0.0.1>"]
    assert values(headers, b"Contact") == [b"<sip:desk@127.0.0.2:5060;ob>;expires=60"]
    quoted = invite(
        to=b'sip:+8613800138000@127.0.0.1;x="<sip:13900139000@y>"',
        contact=b'sip:desk@127.0.0.2;x="<sip:13900139000@y>";expires=60',
    )
    headers = leaving(quoted).headers
    assert values(headers, b"To") == [b"<sip:+8613800138000@127.0.0.1>"]
    assert values(headers, b"Contact") == [b"<sip:desk@127.0.0.2>;expires=60"]
    named = invite(contact=b'"Desk" <sip:desk@127.0.0.2>')
    assert values(leaving(named).headers, b"Contact") == [b'"Desk" <sip:desk@127.0.0.2>']
    assert values(leaving(invite(contact=b"*")).headers, b"Contact") == [b"*"]


def test_in_dialog_request_passes_untouched() -> None:
    request = invite(to=TAGGED)
    screened = leaving(request)
    assert (screened.refusal, screened.headers) == ("", request.headers)


def test_in_dialog_assertion_is_ours() -> None:
    request = invite(OWN, to=TAGGED)
    for asserted in (attempt(request).caller.number, None):
        screened = screen_request(request, ALPHA, CARRIER, asserted, registry().plan, HOST)
        assert (screened.refusal, values(screened.headers, b"P-Asserted-Identity")) == ("", [ASSERTED[1]])


CHANGED = {
    "P-Asserted-Identity": (b"P-Asserted-Identity: " + OTHER, "From / P-Asserted-Identity"),
    "Remote-Party-ID": (b"Remote-Party-ID: " + OTHER, "From / Remote-Party-ID"),
    "Privacy": (b"Privacy: id", "Privacy"),
    "Diversion": (b"Diversion: " + OTHER, "From / Diversion"),
    "Call-Info": (b"Call-Info: " + OTHER, "From / Call-Info"),
}


@pytest.mark.parametrize("method", [b"INVITE", b"UPDATE", b"INFO"])
@pytest.mark.parametrize(("line", "detail"), CHANGED.values(), ids=CHANGED.keys())
def test_identity_changed_inside_a_dialog(line: bytes, detail: str, method: bytes) -> None:
    """Form 23."""
    screened = screen_request(invite(line, to=TAGGED, method=method), ALPHA, CARRIER, None, registry().plan, HOST)
    assert (screened.refusal, screened.detail) == (DIALOG_IDENTITY, detail)


def test_contact_and_from_changed_inside_a_dialog() -> None:
    plan = registry().plan
    gated = attempt(invite()).caller.number
    moved = invite(to=TAGGED, contact=OTHER)
    assert screen_request(moved, ALPHA, CARRIER, None, plan, HOST).refusal == DIALOG_IDENTITY
    for from_ in (b"<sip:+8657112340002@127.0.0.2>;tag=a1", b"<sip:anonymous@anonymous.invalid>;tag=a1"):
        changed = screen_request(invite(to=TAGGED, from_=from_), ALPHA, CARRIER, gated, plan, HOST)
        assert (changed.refusal, changed.detail) == (DIALOG_IDENTITY, "From")


def test_isup_inside_a_dialog() -> None:
    plan = registry().plan
    kind = b"multipart/mixed;boundary=b"
    info = invite(to=TAGGED, method=b"INFO", body=ISUP, content_type=kind)
    assert screen_request(info, ALPHA, CARRIER, None, plan, HOST).detail == "body: application/isup"
    bye = invite(to=TAGGED, method=b"BYE", body=b"\x0c", content_type=b"application/isup")
    screened = screen_request(bye, ALPHA, CARRIER, None, plan, HOST)
    assert (screened.refusal, screened.body, values(screened.headers, b"Content-Type")) == ("", b"", [])


@pytest.mark.parametrize("method", [b"ACK", b"BYE", b"PRACK", b"CANCEL"])
def test_what_ends_a_call_is_cleaned_not_refused(method: bytes) -> None:
    request = invite(b"P-Asserted-Identity: " + OTHER, b"Privacy: id", to=TAGGED, method=method)
    screened = screen_request(request, ALPHA, CARRIER, None, registry().plan, HOST)
    assert screened.refusal == ""
    for name in (b"P-Asserted-Identity", b"Privacy", b"Contact"):
        assert values(screened.headers, name) == []
    tail = invite(to=TAGGED + b";rn=1", from_=FROM + b";verstat=x", method=method)
    headers = screen_request(tail, ALPHA, CARRIER, None, registry().plan, HOST).headers
    assert (values(headers, b"From"), values(headers, b"To")) == ([FROM], [TAGGED])


@pytest.mark.parametrize(
    ("method", "line", "detail"),
    [
        (b"REFER", b"Refer-To: <sip:+8613900139000@x>", "REFER"),
        (b"REFER", b"X-A: b", "REFER"),
        (b"INVITE", b"Replaces: a;to-tag=b;from-tag=c", "Replaces"),
        (b"INVITE", b"Join: a;to-tag=b;from-tag=c", "Join"),
    ],
)
def test_transfer_from_access_is_refused(method: bytes, line: bytes, detail: str) -> None:
    """Form 21, inside a dialog; outside one the rule `transfer` says so."""
    screened = screen_request(invite(line, to=TAGGED, method=method), ALPHA, CARRIER, None, registry().plan, HOST)
    assert (screened.refusal, screened.detail) == (TRANSFER, detail)
    assert leaving(invite(line)).refusal == ""


def test_transfer_from_the_core_passes() -> None:
    request = invite(b"Refer-To: <sip:+8613900139000@x>", to=TAGGED, method=b"REFER")
    screened = screen_request(request, CARRIER, ALPHA, None, registry().plan, HOST)
    assert (screened.refusal, screened.headers) == ("", request.headers)


def test_a_dialog_whose_from_is_no_number_loses_every_identity() -> None:
    """The called side of an inbound call, dialled by name in To: nothing to verify against, so nothing passes."""
    request = invite(b"P-Asserted-Identity: " + OTHER, from_=b"<sip:desk@h>;tag=a1", to=TAGGED, method=b"UPDATE")
    screened = screen_request(request, ALPHA, CARRIER, None, registry().plan, HOST)
    assert screened.refusal == ""
    assert values(screened.headers, b"P-Asserted-Identity") == []


NETWORK = [
    b"P-Asserted-Identity: <tel:+8613800138001>",
    b"Remote-Party-ID: <tel:+8613800138001>",
    b"P-Charge-Info: <tel:+8613800138001>",
    b"p-served-user: <tel:+8613800138001>",
]


def test_towards_access_network_identity_needs_trust_on_both_sides() -> None:
    request = invite(*NETWORK, b"Diversion: <tel:+8613900139000>", b"X-A: b")
    plan = registry().plan
    assert screen_request(request, TRUSTED, TRUSTED_ACCESS, None, plan).headers == request.headers
    for core, access in ((TRUSTED, ALPHA), (CARRIER, TRUSTED_ACCESS), (CARRIER, ALPHA)):
        headers = screen_request(request, core, access, None, plan).headers
        assert headers == invite(b"Diversion: <tel:+8613900139000>", b"X-A: b").headers


@pytest.mark.parametrize("privacy", [b"id", b"ID;critical", b"none, id", b"user", b"header"])
def test_towards_access_privacy_wins_over_trust(privacy: bytes) -> None:
    withheld = [*NETWORK, b"Diversion: <tel:+8613900139000>", b"History-Info: <tel:+8613900139000>;index=1"]
    request = invite(*withheld, b"Privacy: " + privacy, b"X-A: b")
    headers = screen_request(request, TRUSTED, TRUSTED_ACCESS, None, registry().plan).headers
    assert headers == invite(b"Privacy: " + privacy, b"X-A: b").headers


def test_response_from_access() -> None:
    response = answer(*REMOVED, b"X-A: b")
    screened = screen_response(response, ALPHA, CARRIER, registry().plan)
    assert (screened.refusal, screened.headers) == ("", answer(b"X-A: b").headers)


def test_response_cannot_change_from_or_to() -> None:
    """Form 23: connected identity in a 2xx."""
    received = invite(from_=b"<sip:%2B8657112340001@127.0.0.2>;tag=a1")
    response = answer(
        from_=b'"13900139000" <sip:+8657112340001@127.0.0.2>;tag=a1', to=b'"x" <sip:+8613900139000@y>;tag=b2;z=1'
    )
    for pair in ((CARRIER, ALPHA), (ALPHA, CARRIER)):
        headers = screen_response(response, *pair, registry().plan, received).headers
        assert values(headers, b"From") == [b"<sip:%2B8657112340001@127.0.0.2>;tag=a1"]
        assert values(headers, b"To") == [TAGGED]


def test_response_to_an_in_dialog_request_keeps_its_tags() -> None:
    received = invite(to=TAGGED)
    headers = screen_response(
        answer(to=b"<sip:+8613800138000@h>;tag=b2"), CARRIER, ALPHA, registry().plan, received
    ).headers
    assert values(headers, b"To") == [TAGGED]
    early = screen_response(answer(status=b"100 Trying", to=TO), CARRIER, ALPHA, registry().plan, invite()).headers
    assert values(early, b"To") == [TO]


def test_response_without_its_request_loses_foreign_display_names() -> None:
    response = answer(from_=b'"13900139000" <sip:+8657112340001@h>;tag=a1', to=b'"110" <sip:+8613800138000@h>;tag=b2')
    headers = screen_response(response, ALPHA, CARRIER, registry().plan).headers
    assert values(headers, b"From") == [b"<sip:+8657112340001@h>;tag=a1"]
    assert values(headers, b"To") == [b"<sip:+8613800138000@h>;tag=b2"]


def test_redirection_by_access_names_no_target() -> None:
    """Form 22: whoever follows the 302 behind us finds nowhere to go."""
    response = answer(b"Diversion: " + OTHER, status=b"302 Moved Temporarily", contact=OTHER)
    headers = screen_response(response, ALPHA, CARRIER, registry().plan).headers
    assert values(headers, b"Contact") == []
    assert b"13900139000" not in repr(headers).encode()


def test_isup_is_cut_out_of_responses_from_access() -> None:
    response = answer(b"MIME-Version: 1.0", body=ISUP, content_type=b'multipart/mixed; boundary="b"')
    screened = screen_response(response, ALPHA, CARRIER, registry().plan)
    assert screened.body == SDP
    assert values(screened.headers, b"Content-Type") == [b"application/sdp"]
    assert values(screened.headers, b"MIME-Version") == []
    untouched = screen_response(response, CARRIER, ALPHA, registry().plan)
    assert untouched.body == ISUP


def test_response_from_the_core_keeps_identity_inside_the_trust_domain_only() -> None:
    response = answer(*NETWORK)
    plan = registry().plan
    assert screen_response(response, TRUSTED, TRUSTED_ACCESS, plan).headers == response.headers
    assert screen_response(response, CARRIER, ALPHA, plan).headers == answer().headers
    assert screen_response(response, TRUSTED, replace(TRUSTED_ACCESS, trusted=False), plan).headers == answer().headers
