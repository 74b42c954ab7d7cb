"""Requests, responses and a registry for the gate's tests: the numbers are those of the example deployment."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from gateway.gate.attempt import CallAttempt, read_attempt
from gateway.registry.model import Feed, NextHop, NumberRange, Operator, Snapshot, Trunk
from gateway.registry.plan_csv import emergency_codes, load_plan_csv
from gateway.registry.registry import Registry
from gateway.sip import Request, Response, parse

AT = 1_800_000_000.0
OWN_HOSTS = frozenset({b"127.0.0.1", b"gate.example", b"[::1]"})
CALLER = b"+8657112340001"
CALLEE = b"+8613800138000"
FROM = b"<sip:+8657112340001@127.0.0.2>;tag=a1"
TO = b"<sip:+8613800138000@127.0.0.1>"
URI = b"sip:+8613800138000@127.0.0.1:5060"
SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"

ALPHA = Trunk(
    "cc-alpha",
    "access",
    operator="alpha",
    sources=("127.0.0.2",),
    next_hops=(NextHop("127.0.0.2"),),
    area="571",
    emergency_cli="+8657112340000",
)
BETA = Trunk("cc-beta", "access", operator="beta", sources=("127.0.0.3",), next_hops=(NextHop("127.0.0.3"),))
STRICT = Trunk("cc-strict", "access", operator="alpha", sources=("127.0.0.4",), area="571", needs_asserted=True)
CARRIER = Trunk("carrier", "core", sources=("127.0.0.9",), next_hops=(NextHop("127.0.0.9"),), area="571")
TRUSTED = Trunk("net", "core", sources=("127.0.0.8",), next_hops=(NextHop("127.0.0.8"),), trusted=True)
TRUSTED_ACCESS = Trunk("cc-trusted", "access", operator="alpha", sources=("127.0.0.5",), trusted=True)

RANGES = (
    NumberRange(
        *("alpha-1", "+8657112340000", "+8657112349999", "alpha", ("cc-alpha", "cc-strict")),
        outbound=True,
        inbound=True,
        purposes=("consultation",),
    ),
    NumberRange("alpha-400", "+864001230000", "+864001239999", "alpha", ("cc-alpha",), inbound=True),
    NumberRange("alpha-95", "95013123", "95013123", "alpha", ("cc-alpha",), outbound=True),
    NumberRange("beta-1", "+8657156780000", "+8657156789999", "beta", ("cc-beta",), outbound=True, inbound=True),
)


@cache
def registry(core: Trunk = CARRIER, feeds: tuple[Feed, ...] = ()) -> Registry:
    """The example's registry, with this core trunk."""
    plan = load_plan_csv(Path("config/plans/cn.csv").read_text(encoding="utf-8"))
    return Registry(
        Snapshot(
            1,
            operators=(Operator("alpha", "Alpha", 1), Operator("beta", "Beta", 2)),
            trunks=(ALPHA, BETA, STRICT, TRUSTED_ACCESS, core),
            ranges=RANGES,
            plan=plan,
            emergency=emergency_codes(plan),
            purposes={"consultation": 1},
            feeds=feeds,
        )
    )


def invite(
    *lines: bytes,
    method: bytes = b"INVITE",
    uri: bytes = URI,
    from_: bytes = FROM,
    to: bytes = TO,
    contact: bytes = b"<sip:alpha@127.0.0.2:5060>",
    body: bytes = SDP,
    content_type: bytes = b"application/sdp",
    call_id: bytes = b"c1@127.0.0.2",
) -> Request:
    """A request as it would come from a call centre; `lines` are further header lines."""
    head = [
        method + b" " + uri + b" SIP/2.0",
        b"Via: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK-1;rport",
        b"Max-Forwards: 70",
        b"From: " + from_,
        b"To: " + to,
        b"Call-ID: " + call_id,
        b"CSeq: 1 " + method,
        b"Contact: " + contact,
        *lines,
        b"User-Agent: phone/1",
        b"Allow: INVITE, ACK, BYE, CANCEL, OPTIONS",
        b"Supported: replaces, timer",
        b"Content-Type: " + content_type,
        b"Content-Length: %d" % len(body),
    ]
    request = parse(b"\r\n".join(head) + b"\r\n\r\n" + body)
    assert isinstance(request, Request)
    return request


def answer(
    *lines: bytes,
    status: bytes = b"200 OK",
    from_: bytes = FROM,
    to: bytes = TO + b";tag=b2",
    contact: bytes = b"<sip:agent@127.0.0.2:5060>",
    body: bytes = SDP,
    content_type: bytes = b"application/sdp",
) -> Response:
    """A response to such a request."""
    head = [
        b"SIP/2.0 " + status,
        b"Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK-2",
        b"From: " + from_,
        b"To: " + to,
        b"Call-ID: c1@127.0.0.2",
        b"CSeq: 1 INVITE",
        b"Contact: " + contact,
        *lines,
        b"Content-Type: " + content_type,
        b"Content-Length: %d" % len(body),
    ]
    response = parse(b"\r\n".join(head) + b"\r\n\r\n" + body)
    assert isinstance(response, Response)
    return response


def attempt(request: Request, trunk: Trunk = ALPHA, core: Trunk = CARRIER) -> CallAttempt:
    """The attempt that this request on this trunk is."""
    return read_attempt(request, trunk, registry(core), AT, OWN_HOSTS)
