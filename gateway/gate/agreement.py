"""Do the headers agree? Each identity header of a request held against the number of From (the table is in
`identity`)."""

from __future__ import annotations

from gateway.gate.identity_headers import (
    ASSERTED,
    CALL_INFO,
    DIVERSION,
    HISTORY,
    IDENTITY,
    JUDGED,
    ORDINARY,
    PREFERRED,
    REFERRED_BY,
    REMOTE_PARTY,
    REPLY_TO,
)
from gateway.gate.isup import SDP, carries_isup
from gateway.gate.passport import contradiction
from gateway.gate.privacy import asks_to_hide, display_hides
from gateway.gate.userpart import (
    FAULT_HIDDEN,
    NUMBER_PARAMS,
    UserNumber,
    is_digits,
    plain_digits,
    read_digits,
    read_target,
    read_uri,
    uri_params,
)
from gateway.registry.model import Trunk
from gateway.registry.numbering import NumberingPlan
from gateway.sip.errors import ProtocolError, RemoteProtocolError
from gateway.sip.message import Request
from gateway.sip.nameaddr import NameAddr, parse_name_addr, split_list
from gateway.sip.names import CONTACT, CONTENT_TYPE
from gateway.sip.params import split_params
from gateway.sip.uri import parse_uri, unescape
from policies.facts import CALLER_HIDDEN, CALLER_MISMATCH

MAX_VALUES = 16
"""Addresses of one header that are read; History-Info of a call through eight proxies has 16. More is a mismatch."""
MAX_ASSERTED = 2
"""RFC 3325 §9.1: one sip(s) and one tel URI."""
MIN_CALL_BACK_DIGITS = 7
"""Shortest user part taken for a call-back number: local numbers have 7 or 8 digits, extensions of a PBX fewer."""

_ADORNMENTS = b"-.() *#"


class Finding:
    """A header that hides the caller or contradicts his number."""

    __slots__ = ("detail", "status")

    def __init__(self, status: str, detail: str) -> None:
        self.status = status
        self.detail = detail


def examine(request: Request, own: UserNumber, trunk: Trunk, plan: NumberingPlan) -> Finding | None:
    """The first header that contradicts the number of From (`own`, with a number); one that hides the caller goes
    first."""
    contradicting: Finding | None = None
    asserted: list[bytes] = []
    for name, value in request.headers:
        if name in ORDINARY:
            continue
        finding: Finding | None = None
        if name == ASSERTED:
            asserted.append(value)
        elif name == CONTACT:
            if not _contact_agrees(value, own, trunk, plan):
                finding = _mismatch(CONTACT)
        elif name == CONTENT_TYPE:
            if value != SDP and carries_isup(request.headers, request.body):
                finding = Finding(CALLER_MISMATCH, "ISUP body")
        elif name in JUDGED:
            finding = _judge(name, value, request, own, trunk, plan)
        if finding is not None:
            if finding.status == CALLER_HIDDEN:
                return finding
            contradicting = contradicting or finding
    if asserted:
        finding = _judge_asserted(asserted, own, trunk, plan)
        if finding is not None and (contradicting is None or finding.status == CALLER_HIDDEN):
            return finding
    return contradicting


def _judge(
    name: bytes, value: bytes, request: Request, own: UserNumber, trunk: Trunk, plan: NumberingPlan
) -> Finding | None:
    """One value of a judged header other than P-Asserted-Identity and Contact."""
    if name == IDENTITY:
        number = own.number
        claim = contradiction(value, number.canonical if number else "", _callee(request, trunk, plan))
        return Finding(CALLER_MISMATCH, "From / " + claim) if claim else None
    addresses = _addresses(value)
    if name in (CALL_INFO, REPLY_TO):
        for address in addresses or ():
            if not _call_back_agrees(address.uri, own, trunk, plan):
                return _mismatch(name)
        return None
    if name not in (PREFERRED, REMOTE_PARTY, DIVERSION, HISTORY, REFERRED_BY):  # Privacy
        return Finding(CALLER_HIDDEN, "Privacy") if asks_to_hide(request.headers) else None
    if not addresses:
        return _mismatch(name)
    for address in addresses:
        found = _judge_address(name, address, own, trunk, plan)
        if found is not None and not (name == HISTORY and _names_callee(address, request, trunk, plan)):
            return found
    return None


def _judge_asserted(values: list[bytes], own: UserNumber, trunk: Trunk, plan: NumberingPlan) -> Finding | None:
    """P-Asserted-Identity: every value is the caller's number, in at most one sip(s) and one tel URI."""
    if len(values) == 1:
        value = values[0]
        if value[:5] == b"<sip:" and value[-1:] == b">" and plain_digits(value[1:-1]) == own.digits:
            return None
    count = 0
    schemes: set[bytes] = set()
    for value in values:
        addresses = _addresses(value)
        if not addresses:
            return _mismatch(ASSERTED)
        for address in addresses:
            found = _judge_address(ASSERTED, address, own, trunk, plan)
            if found is not None:
                return found
            count += 1
            schemes.add(address.uri.split(b":", 1)[0].lower().replace(b"sips", b"sip"))
    if count > MAX_ASSERTED:
        return Finding(CALLER_MISMATCH, "P-Asserted-Identity: more than two values")
    if count != len(schemes):
        return Finding(CALLER_MISMATCH, "P-Asserted-Identity: two values of one scheme")
    return None


def _judge_address(
    name: bytes, address: NameAddr, own: UserNumber, trunk: Trunk, plan: NumberingPlan
) -> Finding | None:
    """An address that must be the caller's own number."""
    reading = read_uri(address.uri, trunk, plan)
    if reading.fault == FAULT_HIDDEN or (address.display and display_hides(address.display)):
        return Finding(CALLER_HIDDEN, name.decode("ascii"))
    if name == REMOTE_PARTY:
        found = _judge_remote_party(address)
        if found is not None:
            return found
    if reading.number is None or own.number is None or reading.number.canonical != own.number.canonical:
        return _mismatch(name)
    return None


def _judge_remote_party(address: NameAddr) -> Finding | None:
    """`privacy` and `screen` of Remote-Party-ID (draft-ietf-sip-privacy-04 §5); every one of several counts."""
    try:
        params = split_params(address.params) if address.params else []
    except ProtocolError:
        return _mismatch(REMOTE_PARTY)
    for name, value in params:
        word = (value or b"").strip(b'"').lower()
        if name == b"privacy" and word != b"off":
            return Finding(CALLER_HIDDEN, "Remote-Party-ID privacy")
        if name == b"screen" and word == b"no":
            return Finding(CALLER_MISMATCH, "Remote-Party-ID screen")
    return None


def _contact_agrees(value: bytes, own: UserNumber, trunk: Trunk, plan: NumberingPlan) -> bool:
    """Does no Contact offer another number to call back?"""
    if value[:5] == b"<sip:" and b"," not in value:
        uri = value[1:].partition(b">")[0]
        user, at, _ = uri[4:].partition(b"@")
        if plain_digits(uri) == own.digits or ((not at or user.isalpha()) and b";" not in uri and b"?" not in uri):
            return True
        return _call_back_agrees(uri, own, trunk, plan)
    if value == b"*":
        return True
    addresses = _addresses(value)
    return addresses is not None and all(_call_back_agrees(address.uri, own, trunk, plan) for address in addresses)


def _call_back_agrees(raw: bytes, own: UserNumber, trunk: Trunk, plan: NumberingPlan) -> bool:
    """Is this URI no number at all, or the caller's? Read generously: whatever a person would dial counts."""
    try:
        uri = parse_uri(raw)
    except RemoteProtocolError as error:
        return error.status == 416  # no phone calls a URL back; what is no URI at all might be read somehow
    if uri.headers or any(name in NUMBER_PARAMS for name, _ in uri_params(uri)):
        return False
    user, extra, _ = unescape(uri.user or b"").partition(b";")
    text = user.translate(None, _ADORNMENTS)
    if not is_digits(text) or len(text) < MIN_CALL_BACK_DIGITS:
        return True
    if extra or uri.password is not None:
        return False
    number = read_digits(text, trunk, plan)
    return number is not None and own.number is not None and number.canonical == own.number.canonical


def _addresses(value: bytes) -> list[NameAddr] | None:
    """The addresses of a list value; None where one cannot be read or there are too many."""
    try:
        elements = split_list(value) if b"," in value else [value]
        if len(elements) > MAX_VALUES:
            return None
        return [parse_name_addr(element) for element in elements]
    except ProtocolError:
        return None


def _callee(request: Request, trunk: Trunk, plan: NumberingPlan) -> str:
    """Canonical number of the Request-URI, "" where it names none."""
    number = read_target(request.target, trunk, plan).number
    return number.canonical if number is not None else ""


def _names_callee(address: NameAddr, request: Request, trunk: Trunk, plan: NumberingPlan) -> bool:
    """RFC 7044 §5.1: the first entry of a call that nobody forwarded is its Request-URI."""
    number = read_uri(address.uri, trunk, plan).number
    return number is not None and number.canonical == _callee(request, trunk, plan)


def _mismatch(name: bytes) -> Finding:
    return Finding(CALLER_MISMATCH, "From / " + name.decode("ascii"))
