"""Identity inside a dialog (RULES Part 2(d) form 23): what the dialog cookie leaves open is judged."""

from __future__ import annotations

import pytest

from gateway.gate.screen import DIALOG_IDENTITY, screen_request
from tests.unit.gate.calls import ALPHA, CARRIER, TO, invite, registry

TAGGED = TO + b";tag=b2"
OWN = b"sip:+8657112340001@127.0.0.2"
INBOUND = b"<sip:+8613800138000@carrier;user=phone;cpc=ordinary>;tag=b2"


def said(*lines: bytes, method: bytes = b"UPDATE", **fields: bytes) -> tuple[str, str]:
    request = invite(*lines, method=method, **{"to": TAGGED, **fields})
    screened = screen_request(request, ALPHA, CARRIER, None, registry().plan, b"h")
    return screened.refusal, screened.detail


@pytest.mark.parametrize(
    "from_",
    [
        b"<" + OWN + b";x=y>;tag=a1",
        b"<" + OWN + b";user=ip>;tag=a1",
        b"<" + OWN + b";verstat=TN-Validation-Passed;rn=+8613900139000;cpc=operator>;tag=a1",
        b"<" + OWN + b"?Subject=x>;tag=a1",
        b"<" + OWN + b">;tag=a1;verstat=TN-Validation-Passed",
        b"<" + OWN + b">;tag=a1;isup-oli=0",
        b"<" + OWN + b">;cpc=operator;tag=a1",
        b"<sip:+8657112340001:pw@127.0.0.2>;tag=a1",
        b"<sip:+8657112340001;ext=1@127.0.0.2>;tag=a1",
        b"<tel:+8657112340001;ext=1>;tag=a1",
        b"<sip:desk@127.0.0.2;rn=13900139000>;tag=a1",
        b"<sip:desk@127.0.0.2>;tag=a1;cpc=operator",
        b"<sip:anonymous@127.0.0.2>;tag=a1",
        b'"Anonymous" <' + OWN + b">;tag=a1",
    ],
)
@pytest.mark.parametrize("method", [b"INVITE", b"UPDATE"])
def test_from_that_gained_something(from_: bytes, method: bytes) -> None:
    assert said(from_=from_, method=method) == (DIALOG_IDENTITY, "From")


@pytest.mark.parametrize(
    "to",
    [
        b"<sip:+8613800138000@127.0.0.1;rn=+8613900139000;npdi>;tag=b2",
        b"<sip:+8613800138000@127.0.0.1;%72n=1>;tag=b2",
        b"<sip:+8613800138000;rn=+8613900139000@127.0.0.1>;tag=b2",
        b"<sip:+8613800138000@127.0.0.1;ext=1>;tag=b2",
        b"<tel:+8613800138000;ext=1>;tag=b2",
        b"<sip:+8613800138000@127.0.0.1>;tag=b2;rn=1",
        b"<sip:+8613800138000@127.0.0.1?Route=x>;tag=b2",
    ],
)
def test_to_that_leads_elsewhere(to: bytes) -> None:
    assert said(to=to) == (DIALOG_IDENTITY, "To")
    assert said(to=to, from_=b"<sip:desk@h>;tag=a1") == (DIALOG_IDENTITY, "To")


@pytest.mark.parametrize(
    "contact",
    [
        b"<sip:127.0.0.2?Replaces=abc>",
        b"<sip:desk@127.0.0.2;rn=1>",
        b"<sip:127.0.0.2>;verstat=x",
        b"<sip:8001@b:99999>",
    ],
)
def test_contact_with_headers_or_number_parameters(contact: bytes) -> None:
    for from_ in (b"<" + OWN + b">;tag=a1", b"<sip:desk@h>;tag=a1"):
        assert said(contact=contact, from_=from_) == (DIALOG_IDENTITY, "From / Contact")


def test_beside_a_from_that_never_was_a_number() -> None:
    desk = b"<sip:desk@h>;tag=a1"
    assert said(b"Privacy: id", from_=desk) == (DIALOG_IDENTITY, "Privacy")
    gtd = said(from_=desk, body=b"CGN,1", content_type=b"application/gtd")
    assert gtd == (DIALOG_IDENTITY, "body: application/gtd")


@pytest.mark.parametrize(
    "from_",
    [
        b"<" + OWN + b">;tag=a1",
        b"<" + OWN + b";user=phone>;tag=a1;x=1",
        b"<sip:desk@h>;tag=a1",
        b"<sip:desk12@h>;tag=a1",
        b"<sip:desk@h;x=y>;tag=a1",
        b"<sip:h>;tag=a1",
        b"<sip:99999999999999999@h>;tag=a1",
        b"<urn:service:sos>;tag=a1",
    ],
)
def test_unchanged(from_: bytes) -> None:
    """Among them the called side of calls that came in for a name, or for a number of another plan."""
    assert said(b"Privacy: none", from_=from_) == ("", "")
    assert said(from_=from_, to=INBOUND) == ("", "")
    assert said(from_=from_, contact=b"*") == ("", "")


@pytest.mark.parametrize("method", [b"ACK", b"BYE", b"PRACK"])
def test_foreign_bodies_are_cut_out_where_nothing_is_refused(method: bytes) -> None:
    request = invite(method=method, to=TAGGED, body=b"CGN,1", content_type=b"application/gtd")
    screened = screen_request(request, ALPHA, CARRIER, None, registry().plan, b"h")
    assert (screened.refusal, screened.body) == ("", b"")
    assert b"Content-Type" not in [name for name, _ in screened.headers]
