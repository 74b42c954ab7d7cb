"""What leaves of an emergency call: the gated digits, and of an unproven caller only what he may keep."""

from __future__ import annotations

import pytest

from gateway.gate.screen import emergency_uri, screen_request, screen_response
from gateway.sip.screened import Screened
from tests.unit.gate.calls import ALPHA, CARRIER, SDP, answer, attempt, invite, registry
from tests.unit.gate.test_screen import ASSERTED, HOST, ISUP, OTHER, OWN, leaving, values


def test_emergency_caller_replaced() -> None:
    plan = registry().plan
    cli = plan.read(b"8657112340000", True, "86", "")
    request = invite(OWN, from_=b'"13900139000" <sip:+8613900139000@h>;tag=a1', uri=b"sip:110@127.0.0.1")
    screened = screen_request(request, ALPHA, CARRIER, cli, plan, HOST, emergency_uri("+8657112340000", HOST))
    assert screened.refusal == ""
    uri = b"<sip:+8657112340000@127.0.0.1:5060;user=phone>"
    assert values(screened.headers, b"From") == [uri + b";tag=a1"]
    assert values(screened.headers, b"P-Asserted-Identity") == [uri]
    assert b"13900139000" not in repr(screened.headers).encode()


def emergency(*lines: bytes, from_uri: bytes = b"", proven: bool = False, **fields: bytes) -> Screened:
    request = invite(*lines, uri=b"sip:110@127.0.0.1", **fields)
    number = attempt(request).caller.number if proven else None
    return screen_request(request, ALPHA, CARRIER, number, registry().plan, HOST, from_uri, emergency=True)


def test_an_emergency_call_takes_over_no_other() -> None:
    screened = emergency(b"Replaces: a;to-tag=b;from-tag=c", b"Join: a;to-tag=b;from-tag=c", to=b"<sip:110@h>")
    want = invite(to=b"<sip:110@h>", contact=b"<sip:127.0.0.2:5060>").headers
    assert (screened.refusal, screened.headers) == ("", want)


@pytest.mark.parametrize(
    "to",
    [
        OTHER,
        b"<sip:police@h>",
        b"<sip:127.0.0.1>",
        b'"13900139000" <sip:110@h>',
        b"<sip:110@h;rn=+8613900139000>",
        b"<sip:110@h>;rn=1",
        b"<urn:service:sos>",
    ],
)
def test_an_emergency_call_names_the_gated_digits_in_to(to: bytes) -> None:
    screened = emergency(to=to, proven=True)
    assert values(screened.headers, b"To") == [b"<sip:110@127.0.0.1:5060>"]
    assert values(screened.headers, b"P-Asserted-Identity") == [ASSERTED[1]]
    received = invite(uri=b"sip:110@127.0.0.1", to=to)
    back = screen_response(answer(to=b"<sip:110@127.0.0.1:5060>;tag=b2"), CARRIER, ALPHA, registry().plan, received)
    assert values(back.headers, b"To") == [to + b";tag=b2"]


def test_an_emergency_call_hides_nobody() -> None:
    assert values(emergency(b"Privacy: id", proven=True).headers, b"Privacy") == []
    assert values(emergency(b"Privacy: id").headers, b"Privacy") == []


@pytest.mark.parametrize(
    ("received", "left"),
    [
        (b"<sip:+8613900139000@127.0.0.2:5070;transport=udp;rn=1;x=2>;q=1", [b"<sip:127.0.0.2:5070;transport=udp>"]),
        (b'"13900139000" <sips:desk@[::1]>, <sip:b@c>', [b"<sips:[::1]>"]),
        (b"<tel:+8613900139000>", []),
        (b"<sip:a@b:99999>", []),
        (b"*", []),
    ],
)
def test_an_unproven_emergency_caller_is_called_back_at_no_number(received: bytes, left: list[bytes]) -> None:
    assert values(emergency(contact=received).headers, b"Contact") == left
    assert values(emergency(contact=b"<sip:alpha@127.0.0.2>", proven=True).headers, b"Contact") == [
        b"<sip:alpha@127.0.0.2>"
    ]


def test_without_an_emergency_cli_an_unproven_from_leaves_unasserted() -> None:
    for from_ in (b"<sip:+8613900139000@h>;tag=a", b"<sip:alice@h>;tag=a", b"<sip:anonymous@anonymous.invalid>;tag=a"):
        headers = emergency(OWN, from_=from_).headers
        assert values(headers, b"From") == [from_]
        assert values(headers, b"P-Asserted-Identity") == []


def test_an_emergency_call_keeps_its_location() -> None:
    kind = b"multipart/mixed;boundary=b"
    body = b"--b\r\nContent-Type: application/pidf+xml\r\n\r\n<presence/>\r\n--b--"
    assert emergency(body=body, content_type=kind).body == body
    assert emergency(body=ISUP, content_type=kind).body == SDP
    assert leaving(invite(body=body, content_type=kind)).body == b""
