"""Do the headers agree? Each identity header of a request held against the number of From (the table is in
`identity`).

What a header costs is bounded over the whole message: addresses are counted in `Judge.room`, Privacy is read once, the
Request-URI is read at most once.
"""

from __future__ import annotations

from typing import Final

from gateway.gate.bodies import foreign_body
from gateway.gate.callback import agrees, names_nobody
from gateway.gate.identity_headers import (
    ASSERTED,
    CALL_INFO,
    HISTORY,
    IDENTITY,
    REMOTE_PARTY,
    REPLY_TO,
)
from gateway.gate.passport import contradiction
from gateway.gate.privacy import asks_to_hide, display_hides
from gateway.gate.shape import Shape, says_sdp, shape_of
from gateway.gate.userpart import FAULT_HIDDEN, UserNumber, plain_digits, read_target, read_uri
from gateway.registry.model import Trunk
from gateway.registry.numbering import NumberingPlan
from gateway.sip.chars import COMMA
from gateway.sip.errors import ProtocolError
from gateway.sip.message import Request
from gateway.sip.nameaddr import NameAddr, parse_name_addr, split_list
from gateway.sip.names import CONTACT
from gateway.sip.params import split_params
from policies.facts import CALLER_HIDDEN, CALLER_MISMATCH

MAX_VALUES: Final = 16
"""Addresses of one header that are read; History-Info of a call through eight proxies has 16. More is a mismatch."""
MAX_ADDRESSES: Final = 32
"""Addresses of all judged headers of a message together: a full History-Info and one or two of every other header.
More is a mismatch."""
MAX_ASSERTED: Final = 2
"""RFC 3325 §9.1: one sip(s) and one tel URI."""


class Finding:
    """A header that hides the caller or contradicts his number."""

    __slots__ = ("detail", "status")

    def __init__(self, status: str, detail: str) -> None:
        self.status = status
        self.detail = detail


def examine(
    request: Request, own: UserNumber, trunk: Trunk, plan: NumberingPlan, shape: Shape | None = None
) -> Finding | None:
    """The first header that contradicts the number of From (`own`, with a number); one that hides the caller goes
    first. `shape`: of the request's headers, where it is known."""
    headers = request.headers
    if shape is None:
        shape = shape_of(headers)
    contradicting: Finding | None = None
    judge: Judge | None = None
    for at in shape.judged:
        name, value = headers[at]
        if name == CONTACT and names_nobody(value, own):
            continue
        judge = judge or Judge(request, own, trunk, plan)
        finding = judge.header(name, value)
        if finding is not None:
            if finding.status == CALLER_HIDDEN:
                return finding
            contradicting = contradicting or finding
    if shape.private and asks_to_hide(headers):
        return Finding(CALLER_HIDDEN, "Privacy")
    asserted = shape.asserted
    if asserted and not (len(asserted) == 1 and _is_own(headers[asserted[0]][1], own)):
        judge = judge or Judge(request, own, trunk, plan)
        finding = judge.asserted([headers[at][1] for at in asserted])
        if finding is not None and (contradicting is None or finding.status == CALLER_HIDDEN):
            return finding
    if contradicting is None and request.body and not says_sdp(headers, shape):
        return examine_body(request)
    return contradicting


def examine_body(request: Request) -> Finding | None:
    """A body that may carry another calling number."""
    foreign = foreign_body(request.headers, request.body)
    return Finding(CALLER_MISMATCH, "body: " + foreign) if foreign else None


def _is_own(value: bytes, own: UserNumber) -> bool:
    """Is this the everyday P-Asserted-Identity, one sip URI with the very digits of From?"""
    if not own.digits or not value.startswith(b"<sip:") or not value.endswith(b">"):
        return False
    return plain_digits(value[1:-1]) == own.digits


class Judge:
    """Holds the headers of one message against its caller. `room`: addresses that may still be read."""

    __slots__ = ("_callee", "_own", "_plan", "_request", "_trunk", "room")

    def __init__(self, request: Request, own: UserNumber, trunk: Trunk, plan: NumberingPlan) -> None:
        self._request = request
        self._own = own
        self._trunk = trunk
        self._plan = plan
        self._callee: str | None = None
        self.room = MAX_ADDRESSES

    def header(self, name: bytes, value: bytes) -> Finding | None:
        """One value of a judged header other than P-Asserted-Identity and Privacy."""
        own = self._own
        if name == IDENTITY:
            return self._judge_passport(value)
        if name == CONTACT and value == b"*":
            return None
        addresses = self._addresses(value)
        if addresses is None:
            return _mismatch(name)
        if name in (CONTACT, CALL_INFO, REPLY_TO):
            for address in addresses:
                if not agrees(address, own, self._trunk, self._plan):
                    return _mismatch(name)
            return None
        for address in addresses:
            found = self._judge_address(name, address)
            if found is not None and not (name == HISTORY and self._names_callee(address)):
                return found
        return None

    def asserted(self, values: list[bytes]) -> Finding | None:
        """P-Asserted-Identity: every value is the caller's number, in at most one sip(s) and one tel URI."""
        count = 0
        schemes: set[bytes] = set()
        for value in values:
            addresses = self._addresses(value)
            if addresses is None:
                return _mismatch(ASSERTED)
            for address in addresses:
                found = self._judge_address(ASSERTED, address)
                if found is not None:
                    return found
                count += 1
                schemes.add(address.uri.split(b":", 1)[0].lower().replace(b"sips", b"sip"))
        if count > MAX_ASSERTED:
            return Finding(CALLER_MISMATCH, "P-Asserted-Identity: more than two values")
        if count != len(schemes):
            return Finding(CALLER_MISMATCH, "P-Asserted-Identity: two values of one scheme")
        return None

    def _addresses(self, value: bytes) -> list[NameAddr] | None:
        """The addresses of a list value; None where one cannot be read, or there are too many of them: then no other
        list of the message is read either, for the caller contradicts himself already."""
        if self.room <= 0:
            return None
        try:
            elements = split_list(value) if COMMA in value else [value]
            self.room -= len(elements)
            if len(elements) <= MAX_VALUES and self.room >= 0:
                return [parse_name_addr(element) for element in elements]
        except ProtocolError:
            pass
        self.room = 0
        return None

    def _judge_passport(self, value: bytes) -> Finding | None:
        self.room -= 1
        if self.room < 0:
            return _mismatch(IDENTITY)
        number = self._own.number
        claim = contradiction(value, number.canonical if number else "", self._called())
        return Finding(CALLER_MISMATCH, "From / " + claim) if claim else None

    def _judge_address(self, name: bytes, address: NameAddr) -> Finding | None:
        """An address that must be the caller's own number."""
        own = self._own.number
        reading = read_uri(address.uri, self._trunk, self._plan)
        if reading.fault == FAULT_HIDDEN or (address.display and display_hides(address.display)):
            return Finding(CALLER_HIDDEN, name.decode("ascii"))
        if name == REMOTE_PARTY:
            found = _judge_remote_party(address)
            if found is not None:
                return found
        if reading.number is None or own is None or reading.number.canonical != own.canonical:
            return _mismatch(name)
        return None

    def _names_callee(self, address: NameAddr) -> bool:
        """RFC 7044 §5.1: the first entry of a call that nobody forwarded is its Request-URI."""
        number = read_uri(address.uri, self._trunk, self._plan).number
        return number is not None and number.canonical == self._called()

    def _called(self) -> str:
        """Canonical number of the Request-URI, "" where it names none."""
        if self._callee is None:
            number = read_target(self._request.target, self._trunk, self._plan).number
            self._callee = number.canonical if number is not None else ""
        return self._callee


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


def _mismatch(name: bytes) -> Finding:
    return Finding(CALLER_MISMATCH, "From / " + name.decode("ascii"))
