"""Who calls: the ONE caller number of an outbound call, derived from every header that could name another.

From names the number. Whatever else names a party must agree with it, so that no next hop, whichever header it reads,
sees another number than the one that was gated. What a header must say (verified), and what becomes of it towards the
core:

    header                 refused when                                          towards the core
    ---------------------  ----------------------------------------------------  -----------------------------------
    From                   hidden: anonymous user, host or display-name (a       as received; escaped digits and
                           hiding word anywhere in it);                          visual separators as the equivalent
                           missing: no user; malformed: not the digits of a      plain URI; a display-name with
                           number of the plan, password, user parameters, URI    other digits and quoted parameters
                           parameters but user=phone, transport, lr, ob,         are dropped
                           number parameters behind the tag; dialog: changed
    P-Asserted-Identity    hidden: anonymous; mismatch: any value another        ours instead:
                           number or unreadable, more than two, two of one       <sip:NUMBER@advertised;user=phone>
                           scheme; missing where the trunk needs_asserted
    P-Preferred-Identity   hidden: anonymous; mismatch: another number           removed (RFC 3325 §9.2)
    Remote-Party-ID        hidden: privacy other than off; mismatch: another     removed
                           number, screen=no
    Diversion,             mismatch: anything but the caller's own number        removed
    Referred-By
    History-Info           mismatch: an entry neither caller nor callee          removed
    Call-Info, Reply-To    mismatch: a sip or tel URI with another number,       removed (a URL may show one)
                           unreadable
    Identity               mismatch: orig or dest of another call, unreadable    removed: signature not verified here
    Contact                mismatch: a user part with five digits or more that   as received; a display-name with
                           are not the caller's (`callback`), number             other digits and quoted parameters
                           parameters, URI headers                               are dropped
    Privacy                hidden: all but none, critical, session, history,     as received; dropped from an
                           more than 16 values                                   emergency call, ACK, BYE, PRACK
    To                     callee-mismatch (`callee`)                            as From; emergency: the gated digits
    identity_headers       never                                                 removed
    .UNSEEN (P-Charge-Info, P-Served-User, Additional-Identity, P-DCS-*, ...), credentials, unregistered names that
    promise a caller (X-Caller-ID); Alert-Info and User-to-User where they hold a URI or digits of another number
    body                   mismatch: a type that is not listed in `bodies`       cut out, should a rule let it pass

More than 16 addresses in one header or 32 in all are a mismatch (`agreement`).

Out of a dialog the findings feed the rules `caller-hidden`, `caller-missing`, `caller-malformed`, `caller-mismatch`;
inside one they are `dialog-identity` (`screen`). Towards access, network identity is dropped on `Privacy: id` or
outside the trust domain. We depart from RULES Part 2(d): form 18 (`user=phone` missing) is no fault, since most peers
never write it, and forms 19 and 20 (P-Preferred-Identity alone, Diversion) are refused only where they name another
number.
"""

from __future__ import annotations

from typing import Final

from gateway.gate.agreement import MAX_ASSERTED, Finding, examine
from gateway.gate.identity_headers import IDENTITY_HEADERS, ORDINARY
from gateway.gate.privacy import asks_to_hide, display_hides
from gateway.gate.shape import Shape, shape_of
from gateway.gate.userpart import FAULT_HIDDEN, FAULT_NO_USER, NUMBER_PARAMS, param_fault, read_caller, read_uri
from gateway.registry.model import Trunk
from gateway.registry.number import Number
from gateway.registry.numbering import NumberingPlan
from gateway.sip.errors import ProtocolError
from gateway.sip.message import Headers, Request
from gateway.sip.nameaddr import NameAddr, parse_name_addr, split_list
from gateway.sip.params import split_params
from policies.facts import CALLER_HIDDEN, CALLER_MALFORMED, CALLER_MISSING, CALLER_OK

__all__: Final = [
    "IDENTITY_HEADERS",
    "CallerIdentity",
    "Finding",
    "derive_caller",
    "presented_headers",
    "read_party",
    "tail_fault",
]


class CallerIdentity:
    """What an INVITE says about its caller.

    `status`, `detail`: caller facts of `policies.facts`; no number in the detail. `number`: None unless From names one.
    `presented`: the From URI as received. `digits`: `[+]digits` of From, b"" where there are none.
    """

    __slots__ = ("detail", "digits", "number", "presented", "status")

    def __init__(self, status: str, detail: str, number: Number | None, presented: bytes, digits: bytes) -> None:
        self.status = status
        self.detail = detail
        self.number = number
        self.presented = presented
        self.digits = digits


def derive_caller(
    request: Request, trunk: Trunk, plan: NumberingPlan, shape: Shape | None = None
) -> CallerIdentity:
    """The caller of a request from this access trunk. Never raises: what cannot be read is a status. `shape`: of the
    request's headers, where it is known."""
    if shape is None:
        shape = shape_of(request.headers)
    from_ = request.from_
    presented = from_.uri
    own = read_caller(presented, trunk, plan)
    if own.fault == FAULT_HIDDEN or (from_.display and display_hides(from_.display)):
        return CallerIdentity(CALLER_HIDDEN, "From", None, presented, own.digits)
    if own.number is None:
        if asks_to_hide(request.headers):
            return CallerIdentity(CALLER_HIDDEN, "Privacy", None, presented, own.digits)
        status = CALLER_MISSING if own.fault == FAULT_NO_USER else CALLER_MALFORMED
        return CallerIdentity(status, "From: " + own.fault, None, presented, own.digits)
    finding = examine(request, own, trunk, plan, shape)
    if finding is not None:
        return CallerIdentity(finding.status, finding.detail, own.number, presented, own.digits)
    fault = tail_fault(from_)
    if fault:
        return CallerIdentity(CALLER_MALFORMED, "From: " + fault, own.number, presented, own.digits)
    if trunk.needs_asserted and not shape.asserted:
        return CallerIdentity(CALLER_MISSING, "P-Asserted-Identity", own.number, presented, own.digits)
    return CallerIdentity(CALLER_OK, "", own.number, presented, own.digits)


def read_party(value: bytes, trunk: Trunk, plan: NumberingPlan) -> Number | None:
    """The first number among a header value's addresses, None where there is none. For records, not for judging."""
    try:
        for element in split_list(value)[:MAX_ASSERTED]:
            number = read_uri(parse_name_addr(element).uri, trunk, plan).number
            if number is not None:
                return number
    except ProtocolError:
        pass
    return None


def presented_headers(headers: Headers) -> Headers:
    """The identity headers as received, for sealed evidence (RULES Part 2(e))."""
    return [header for header in headers if header[0] not in ORDINARY and header[0] in IDENTITY_HEADERS]


def tail_fault(from_: NameAddr) -> str:
    """A number parameter behind the From's `>` (`;cpc=`, `;verstat=`), named; "" for none."""
    params = from_.params
    if not params or params == b"tag=" + from_.tag:
        return ""
    for name, _ in split_params(from_.params):
        if name in NUMBER_PARAMS:
            return param_fault(name)
    return ""
