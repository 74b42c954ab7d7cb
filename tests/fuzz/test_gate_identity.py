"""The gate's promise, tried with made-up messages: whatever gets past it names the gated numbers and no others.

The second reader below is deliberately simple-minded: it knows nothing of name-addr, quotes or parameters, undoes
escapes and takes every run of digits in an identity header for a number. If it finds another number than the gate let
through, somebody's softswitch would too.
"""

from __future__ import annotations

import os
from urllib.parse import unquote_to_bytes

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.gate.screen import screen_request, screen_response
from gateway.sip import ProtocolError, Request, parse, write_request
from policies.facts import CALLEE_OK, CALLER_OK, NUMBER_OK
from tests.unit.gate.calls import ALPHA, CARRIER, TRUSTED, TRUSTED_ACCESS, answer, attempt, registry

PLAN = registry().plan
HOST = b"gate.example"
EXAMPLES = 20_000 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 300
SHORTEST = 7
"""Digits in a row that a person would take for a number."""

USERS = st.sampled_from(
    b"+8657112340001 057112340001 008657112340001 8657112340001 12340001 %2B8657112340001 +86-571-12340001 "
    b"+%38657112340001 +8613900139000 13900139000 %2B8613900139000 desk anonymous +8657112340001;ext=13900139000 "
    b"*6713900139000 +8657112340001:13900139000 110 n13900139000 13900139000, 1390013$9000 8001 "
    b"%EF%BC%9113900139000".split()
)
CALLEES = st.sampled_from(
    b"+8613800138000 013800138000 13800138000 %2B8613800138000 138-0013-8000 110 61234567 "
    b"+8613800138000;rn=+8613900139000 +8613900139000 %2531%33800138000 +86138001380001".split()
)
TAILS = st.sampled_from(b"|||;user=phone|;ext=13900139000|;user=ip|;transport=udp|?X=13900139000".split(b"|"))
DISPLAYS = st.sampled_from(
    '||"13900139000" |"Desk" |"a\\"13900139000" |"<sip:13900139000@x>" |Anonymous |"１３９００１３９０００" |'
    '"057112340001" |13900139000 '.encode().split(b"|")
)
BEHIND = st.sampled_from([b"", b"", b"", b";cpc=1", b';x="<sip:13900139000@y>"'])
HOSTS = st.sampled_from([b"127.0.0.1", b"h.example:5060", b"[::1]", b"anonymous.invalid"])


@st.composite
def addresses(draw: st.DrawFn, users: st.SearchStrategy[bytes] = USERS) -> bytes:
    uri = b"sip:" + draw(users) + b"@" + draw(HOSTS) + draw(TAILS)
    if draw(st.integers(0, 5)) == 0:
        uri = b"tel:" + draw(users) + draw(TAILS)
    return draw(DISPLAYS) + b"<" + uri + b">"


NAMES = st.sampled_from(
    b"P-Asserted-Identity|p-asserted-identity \t|P-Preferred-Identity|Remote-Party-ID|Diversion|History-Info|"
    b"Referred-By|b|Call-Info|Reply-To|Contact|m|P-Charge-Info|CC-Diversion|p-served-user|Identity|Identity-Info|"
    b"Additional-Identity|X-Caller-ID|X-Original-CLI|Alert-Info|User-to-User|Proxy-Authorization".split(b"|")
)


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    if draw(st.integers(0, 9)) == 0:
        return b"Privacy: " + draw(st.sampled_from([b"id", b"none", b"none;id", b"critical"]))
    values = draw(st.lists(addresses(), min_size=1, max_size=3))
    glue = draw(st.sampled_from([b", ", b",\r\n ", b"\t,"]))
    return (
        draw(NAMES)
        + b": "
        + glue.join(values)
        + draw(st.sampled_from([b"", b";privacy=off", b";index=1", b";screen=no", b';x="<sip:13900139000@y>"']))
    )


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    method = draw(st.sampled_from([b"INVITE", b"INVITE", b"UPDATE", b"BYE"]))
    callee = draw(CALLEES)
    to = draw(st.sampled_from([b"<sip:" + callee + b"@h>", b"<sip:+8613800138000@h>"]) | addresses(CALLEES))
    head = [
        method + b" sip:" + callee + b"@" + draw(HOSTS) + draw(TAILS) + b" SIP/2.0",
        b"Via: SIP/2.0/UDP 127.0.0.2;branch=z9hG4bK1",
        b"From: " + draw(addresses()) + b";tag=a" + draw(BEHIND),
        b"To: " + to + draw(st.sampled_from([b"", b"", b";tag=b"])) + draw(BEHIND),
        b"Call-ID: c",
        b"CSeq: 1 " + method,
        *draw(st.lists(lines(), max_size=4)),
    ]
    return b"\r\n".join(head) + b"\r\n\r\n"


def numbers(value: bytes) -> list[bytes]:
    """Every number a simple-minded reader finds: runs of digits, across separators, after undoing escapes."""
    text = unquote_to_bytes(value).translate(None, b"+-.() ")
    runs = bytes(octet if 0x30 <= octet <= 0x39 else 0x20 for octet in text).split()
    return [run for run in runs if len(run) >= SHORTEST]


def own(run: bytes, canonical: str) -> bool:
    """Is this one of the ways to write that number?"""
    digits = canonical.removeprefix("+").encode()
    return len(run) >= SHORTEST and (run in (digits, b"00" + digits) or digits.endswith(run.removeprefix(b"0")))


def without_hosts(value: bytes) -> bytes:
    return value.replace(b"127.0.0.1", b"h").replace(b"127.0.0.2", b"h")


@settings(max_examples=EXAMPLES)
@given(requests())
def test_what_passes_names_the_gated_numbers_only(data: bytes) -> None:
    try:
        request = parse(data)
    except ProtocolError:
        return
    assert isinstance(request, Request)
    call = attempt(request)
    facts = call.facts
    if facts.caller_status != CALLER_OK or facts.number_status != NUMBER_OK or facts.callee_status != CALLEE_OK:
        return
    number, callee = call.number, call.callee
    assert number is not None
    assert callee is not None
    screened = screen_request(request, ALPHA, CARRIER, number, PLAN, HOST)
    if screened.refusal:
        return
    uri = call.request_uri(HOST)
    again = parse(write_request(request.method, uri, screened.headers, screened.body))
    assert isinstance(again, Request)
    assert all(own(run, callee.canonical) for run in numbers(uri))
    for name, value in again.headers:
        low = name.lower()
        assert low in (b"via", b"from", b"to", b"call-id", b"cseq", b"contact", b"p-asserted-identity", b"privacy"), (
            name
        )
        if low in (b"from", b"contact", b"p-asserted-identity"):
            found = numbers(without_hosts(value))
            assert all(own(run, number.canonical) for run in found), (name, value)
        elif low == b"to" and not call.emergency:
            assert all(own(run, callee.canonical) for run in numbers(without_hosts(value))), value


@settings(max_examples=EXAMPLES)
@given(requests())
def test_no_message_breaks_the_gate(data: bytes) -> None:
    try:
        request = parse(data)
    except ProtocolError:
        return
    assert isinstance(request, Request)
    for trunk, other in ((ALPHA, CARRIER), (CARRIER, ALPHA), (TRUSTED, TRUSTED_ACCESS)):
        call = attempt(request, trunk)
        assert "13800138000" not in repr(call.facts) or call.number is None or "13800138000" in call.number.canonical
        screened = screen_request(request, trunk, other, call.number, PLAN, HOST)
        if not screened.refusal:
            parse(write_request(request.method, request.uri, screened.headers, screened.body))
        screen_response(answer(), other, trunk, PLAN, request)
