"""Identity inside a dialog: who was let through as one number must not go on as another (RULES Part 2(d) form 23).

The dialog cookie binds the From and To URIs as far as RFC 3261 §19.1.4 compares them; what that comparison leaves out
(URI parameters, what stands behind the `>`, display-names) and every other header of the list is judged here.
"""

from __future__ import annotations

from typing import Final

from gateway.gate.agreement import examine, examine_body
from gateway.gate.callback import agrees
from gateway.gate.callee import leads_elsewhere
from gateway.gate.identity import tail_fault
from gateway.gate.privacy import PRIVACY, asks_to_hide, display_hides
from gateway.gate.userpart import (
    FAULT_DIGITS,
    FAULT_NO_USER,
    FAULT_PARAM,
    FAULT_PLAN,
    FAULT_SCHEME,
    FAULT_URI,
    UserNumber,
    read_uri,
)
from gateway.registry.model import Trunk
from gateway.registry.number import Number
from gateway.registry.numbering import NumberingPlan
from gateway.sip.errors import ProtocolError
from gateway.sip.limits import MAX_CONTACTS
from gateway.sip.message import Request
from gateway.sip.nameaddr import parse_name_addr, split_list
from gateway.sip.names import CONTACT
from gateway.sip.uri import parse_uri, unescape

_NAMELESS: Final = frozenset({FAULT_DIGITS, FAULT_NO_USER, FAULT_PLAN, FAULT_SCHEME, FAULT_URI})
"""Faults of a From that never was a number: the cookie binds the octets they lie in, so nobody has added them."""


def changed_identity(request: Request, trunk: Trunk, asserted: Number | None, plan: NumberingPlan) -> str:
    """What in a request inside a dialog names another party than the dialog's; "" for nothing.

    `asserted`: the verified number, where it is known.
    """
    from_ = request.from_
    own = read_uri(from_.uri, trunk, plan)
    number = own.number
    if asserted is not None and (number is None or number.canonical != asserted.canonical):
        return "From"
    if tail_fault(from_) or (from_.display and display_hides(from_.display)):
        return "From"
    if leads_elsewhere(request.to):
        return "To"
    if number is None:
        if own.fault not in _NAMELESS and (own.fault != FAULT_PARAM or _has_digits(from_.uri)):
            return "From"
        return _changed_beside(request, own, trunk, plan)
    finding = examine(request, own, trunk, plan)
    return "" if finding is None else finding.detail


def _has_digits(raw: bytes) -> bool:
    """Is there a digit in the user part of a URI that can be read?"""
    user = unescape(parse_uri(raw).user or b"")
    return any(octet in b"0123456789" for octet in user)


def _changed_beside(request: Request, own: UserNumber, trunk: Trunk, plan: NumberingPlan) -> str:
    """The same where From never was a number (a call that came in for a name): there is nothing to hold numbers
    against, so identity headers are removed, and the forms are judged that nobody has a reason to write."""
    private = False
    for name, value in request.headers:
        if name == PRIVACY:
            private = True
        elif name == CONTACT and value != b"*":
            try:
                elements = split_list(value)[:MAX_CONTACTS]
                if not all(agrees(parse_name_addr(element), own, trunk, plan) for element in elements):
                    return "From / Contact"
            except ProtocolError:
                return "From / Contact"
    if private and asks_to_hide(request.headers):
        return "Privacy"
    finding = examine_body(request)
    return "" if finding is None else finding.detail
