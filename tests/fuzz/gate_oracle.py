"""The oracle of fuzzers of the gate: what it would let out reads back as the numbers that were gated, and no others."""

from __future__ import annotations

from gateway.gate.screen import screen_request
from gateway.sip import Request, parse, write_request
from gateway.sip.headers import is_text
from policies.facts import CALLEE_OK, CALLER_OK, NUMBER_OK
from tests.unit.gate.calls import ALPHA, CARRIER, attempt, registry

HOST = b"gate.example"
SINGLE = (b"From", b"To", b"Call-ID", b"CSeq", b"P-Asserted-Identity")


def check_gate(request: Request) -> None:
    """Judge and screen a request from cc-alpha. Raises AssertionError, or whatever the gate should not."""
    plan = registry().plan
    call = attempt(request)
    screened = screen_request(request, ALPHA, CARRIER, call.number if call.proven else None, plan, HOST)
    if screened.refusal or request.method != b"INVITE":
        return
    facts = call.facts
    passes = call.proven and (facts.number_status, facts.callee_status) == (NUMBER_OK, CALLEE_OK)
    if not passes or facts.forced_route or facts.transfer or request.to.tag or not call.target:
        return
    assert call.number is not None
    assert call.callee is not None
    uri = call.request_uri(HOST)
    again = parse(write_request(request.method, uri, screened.headers, screened.body))
    assert isinstance(again, Request)
    assert all(len(again.get_all(name)) == 1 for name in SINGLE)
    leaving = attempt(again)
    assert leaving.callee is not None
    assert leaving.callee.canonical == call.callee.canonical
    assert leaving.number is not None
    assert leaving.number.canonical == call.number.canonical
    assert leaving.caller.status == CALLER_OK, leaving.caller.detail
    asserted = b"<sip:%b@%b;user=phone>" % (call.number.canonical.encode(), HOST)
    assert again.get(b"P-Asserted-Identity") == asserted
    assert all(is_text(value) for _, value in again.headers)
