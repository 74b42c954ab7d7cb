"""Who is called: the number of the Request-URI, and everything that would send the call elsewhere.

The Request-URI that leaves is written from `target` alone, so nothing that was not read goes on. What was altered by
number portability, extension or trunk-group parameters (RFC 4694, 3966, 4904), or contradicted by To, is refused,
because the next hop may follow the other part. A route is never taken from the message (DESIGN §5, Route).
"""

from __future__ import annotations

from typing import Final

from gateway.gate.shape import Shape, shape_of
from gateway.gate.userpart import (
    FAULT_PARAM,
    FAULT_USER_PARAM,
    NUMBER_PARAMS,
    is_phone,
    param_fault,
    plain_digits,
    plain_host,
    read_digits,
    read_target,
    read_uri,
    uri_params,
)
from gateway.registry.model import Trunk
from gateway.registry.number import Number
from gateway.registry.registry import Registry
from gateway.sip.errors import ProtocolError
from gateway.sip.message import Request
from gateway.sip.nameaddr import NameAddr
from gateway.sip.params import split_params
from gateway.sip.uri import Uri, parse_uri, unescape
from policies.facts import CALLEE_MALFORMED, CALLEE_MISMATCH, CALLEE_OK

REROUTING: Final = frozenset(
    b"cic cic-context dtg enumdi ext isub isub-encoding npdi postd rn rn-context tgrp trunk-context".split()
)
"""Number parameters that make a number lead elsewhere. Those that only describe it (cpc, verstat) a To may repeat
inside a dialog, because it was the other party's From."""

_ALONE: Final = frozenset({b"user", b"transport", b"lr"})
"""Parameters that change nothing about an emergency call's URI."""


class Callee:
    """What a request says about its callee.

    `status`, `detail`: callee facts of `policies.facts`; no number in the detail. `emergency`: the plan's digits, or
    "". `target`: user part of the Request-URI to be sent, `[+]digits`; b"" where the call cannot go on.
    """

    __slots__ = ("detail", "emergency", "number", "status", "target")

    def __init__(
        self, number: Number | None, status: str, detail: str, target: bytes = b"", emergency: str = ""
    ) -> None:
        self.number = number
        self.status = status
        self.detail = detail
        self.target = target
        self.emergency = emergency


def read_callee(request: Request, trunk: Trunk, registry: Registry) -> Callee:
    """The callee of an outbound call. Never raises: what cannot be read is a status."""
    digits = plain_digits(request.uri)
    if digits:
        if registry.emergency_callee(digits):
            return _emergency(digits, trunk, registry)
        number = read_digits(digits, trunk, registry.plan)
        if number is None:
            return Callee(None, CALLEE_MALFORMED, "Request-URI: no number of the plan")
        callee = Callee(number, CALLEE_OK, "", digits)
    else:
        callee = _read_target(request.target, trunk, registry)
        if callee.number is None or callee.emergency:
            return callee
    contradiction = _contradiction(request, callee, digits != b"", trunk, registry)
    if contradiction:
        return Callee(callee.number, CALLEE_MISMATCH, contradiction)
    return callee


def read_called(request: Request, trunk: Trunk, registry: Registry) -> Callee:
    """The callee of an inbound call: its number decides. To may be another one, where the network forwarded the
    call."""
    digits = plain_digits(request.uri)
    if digits:
        number = read_digits(digits, trunk, registry.plan)
        if number is None:
            return Callee(None, CALLEE_MALFORMED, "Request-URI: no number of the plan")
        return Callee(number, CALLEE_OK, "", digits)
    callee = _read_target(request.target, trunk, registry)
    callee.emergency = ""
    return callee


def forced_route(request: Request, own_hosts: frozenset[bytes], shape: Shape | None = None) -> str:
    """What tries to choose the target: `Route`, `maddr` or `Request-URI host`; "" for nothing.

    The proxy has removed its own Route by now (RFC 3261 §16.4), so any Route left is a preloaded one. `own_hosts`:
    names and addresses of this gateway, lower case, IPv6 in brackets.
    """
    host = plain_host(request.uri)
    if not host or host not in own_hosts:
        target = request.target
        if target.params and target.has_param(b"maddr"):
            return "maddr"
        if target.scheme != b"tel" and target.host not in own_hosts:
            return "Request-URI host"
    if shape is None:
        shape = shape_of(request.headers)
    return "Route" if shape.routed else ""


def transfer_header(request: Request) -> str:
    """The header that would transfer or replace a call, "" for none."""
    return shape_of(request.headers).transfer


def leads_elsewhere(to: NameAddr) -> bool:
    """Does this To of a request inside a dialog send the number elsewhere: RFC 4694 and 3966 parameters in its user
    part, its URI or behind it, URI headers?"""
    if plain_digits(to.uri) and to.params == b"tag=" + to.tag:
        return False
    try:
        uri = parse_uri(to.uri)
        behind = split_params(to.params) if to.params else []
    except ProtocolError:  # the dialog cookie binds it octet for octet
        return False
    names = [name for name, _ in uri_params(uri)]
    names += [name for name, _ in behind]
    names += [part.split(b"=", 1)[0].lower() for part in unescape(uri.user or b"").split(b";")[1:]]
    return uri.headers != b"" or any(name in REROUTING for name in names)


def _read_target(uri: Uri, trunk: Trunk, registry: Registry) -> Callee:
    """A Request-URI that is not just digits at a host."""
    tel = uri.scheme == b"tel"
    params = uri_params(uri)
    for name, _ in params:
        if name in NUMBER_PARAMS and not (tel and name == b"phone-context"):
            return Callee(None, CALLEE_MISMATCH, "Request-URI: " + param_fault(name))
        if tel and name != b"phone-context":
            return Callee(None, CALLEE_MISMATCH, "Request-URI: " + FAULT_PARAM)
        if name == b"user" and not is_phone(uri):
            return Callee(None, CALLEE_MALFORMED, "Request-URI: " + FAULT_PARAM)
    if not tel and uri.user is not None:
        parts = unescape(uri.user).split(b";")
        if len(parts) > 1:  # RFC 4694 and RFC 4904 parameters of a telephone-subscriber stand in the user part
            names = [part.split(b"=", 1)[0].lower() for part in parts[1:]]
            known = [name for name in names if name in NUMBER_PARAMS]
            fault = param_fault(known[0]) if known else FAULT_USER_PARAM
            return Callee(None, CALLEE_MISMATCH, "Request-URI: " + fault)
    reading = read_target(uri, trunk, registry.plan)
    if reading.digits and registry.emergency_callee(reading.digits):
        if tel or all(name in _ALONE for name, _ in params):
            return _emergency(reading.digits, trunk, registry)
        return Callee(None, CALLEE_MISMATCH, "Request-URI: " + FAULT_PARAM)
    if reading.number is None:
        return Callee(None, CALLEE_MALFORMED, "Request-URI: " + reading.fault)
    return Callee(reading.number, CALLEE_OK, "", reading.digits)


def _emergency(digits: bytes, trunk: Trunk, registry: Registry) -> Callee:
    number = read_digits(digits, trunk, registry.plan)
    return Callee(number, CALLEE_OK, "", digits, digits.decode("ascii"))


def _contradiction(request: Request, callee: Callee, plain: bool, trunk: Trunk, registry: Registry) -> str:
    """What To says against the Request-URI, "" for nothing (out of a dialog the two are the same, RFC 3261
    §8.1.1.1). `plain`: the Request-URI is just digits at a host."""
    to = request.to
    if not (plain and to.uri == request.uri) and plain_digits(to.uri) != callee.target:
        other = read_uri(to.uri, trunk, registry.plan).number
        if other is None or callee.number is None or other.canonical != callee.number.canonical:
            return "Request-URI / To"
    if to.params and to.params != b"tag=" + to.tag:
        for name, _ in split_params(to.params):
            if name in NUMBER_PARAMS:
                return "To: " + param_fault(name)
    return ""
