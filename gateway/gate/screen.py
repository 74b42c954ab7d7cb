"""What leaves towards the other side: headers verified, replaced or removed, in every message of a call.

Initial requests were judged by the rules already; here they lose what only a trusted network may say, and gain the
one P-Asserted-Identity that the gateway answers for (RFC 3325 §5). Requests inside a dialog are judged here, because
no rule sees them: who changes identity or hands the call over is refused. ACK, BYE, CANCEL and PRACK are only
cleaned, for refusing them would leave a call hanging. The table of headers is in `identity`.
"""

from __future__ import annotations

from typing import Final

from gateway.gate.bodies import cut_out, foreign_body
from gateway.gate.callback import speaks_of_another
from gateway.gate.callee import transfer_header
from gateway.gate.changed import changed_identity
from gateway.gate.identity_headers import ASSERTED, is_clean
from gateway.gate.privacy import withholds_identity
from gateway.gate.purpose import without_purpose
from gateway.gate.shape import (
    IS_ANNOUNCING,
    IS_CONTACT,
    IS_FROM,
    IS_KIN,
    IS_NAMED,
    IS_NETWORK,
    IS_PRIVACY,
    IS_REMOVED,
    IS_TEXT,
    IS_TO,
    IS_TRANSFER,
    Shape,
    says_sdp,
    shape_of,
)
from gateway.gate.userpart import read_target, read_uri
from gateway.gate.written import address, bare_contact, contact, emergency_to, name_addr, nameless, tag_only
from gateway.registry.model import Trunk
from gateway.registry.number import Number
from gateway.registry.numbering import NumberingPlan
from gateway.sip.message import Headers, Request, Response
from gateway.sip.names import FROM, TO
from gateway.sip.screened import Screened

NEVER_REFUSED: Final = frozenset({b"ACK", b"BYE", b"CANCEL", b"PRACK"})
DIALOG_IDENTITY: Final = "dialog-identity"
TRANSFER: Final = "transfer"


def screen_request(
    request: Request,
    from_trunk: Trunk,
    to_trunk: Trunk,
    asserted: Number | None,
    plan: NumberingPlan,
    host: bytes = b"",
    from_uri: bytes = b"",
    emergency: bool = False,
) -> Screened:
    """Screen a request, in a dialog (To-tag) or out of one.

    `asserted`: the verified number, asserted in an initial INVITE towards the core and held against From inside a
    dialog; None asserts nothing, and inside a dialog leaves From to the dialog cookie. `host`: advertised host[:port].
    `from_uri`: put into From, without display-name, for an unproven emergency caller (`emergency_uri`); the identity he
    presented is removed unjudged. `emergency`: the call passes whatever it carries, so what contradicts the gated
    digits, hides the caller or would take over another call is removed instead of refused. Where the trunk has no
    emergency CLI, an unproven caller's From leaves as received: a caller who may be wrong is of more use to the
    emergency service than none, and nothing is asserted about him.
    """
    if from_trunk.side != "access":
        shape = shape_of(request.headers)
        headers = request.headers[:]
        _withhold(headers, shape, from_trunk, to_trunk)
        return Screened(headers, request.body)
    cleaned = request.method in NEVER_REFUSED
    judged = request.to.tag != b"" and not cleaned
    if judged:
        transfer = "REFER" if request.method == b"REFER" else transfer_header(request)
        if transfer:
            return Screened([], b"", TRANSFER, transfer)
        if not from_uri:
            detail = changed_identity(request, from_trunk, asserted, plan)
            if detail:
                return Screened([], b"", DIALOG_IDENTITY, detail)
    shape = shape_of(request.headers)
    headers = request.headers[:]
    for at, mark in shape.leaving:
        header = headers[at]
        if mark == IS_FROM:
            if from_uri:
                headers[at] = (FROM, name_addr(b"", from_uri, tag_only(request.from_)))
            else:
                headers[at] = address(header, request.from_, from_trunk, plan, cleaned)
        elif mark == IS_TO:
            if emergency:
                digits = read_target(request.target, from_trunk, plan).digits
                headers[at] = emergency_to(header, request.to, digits, host, from_trunk, plan)
            else:
                headers[at] = address(header, request.to, from_trunk, plan, cleaned)
        elif mark == IS_TEXT:
            if not is_clean(header):
                del headers[at]
        elif mark == IS_CONTACT:
            if emergency and asserted is None:
                bare = bare_contact(header)
                if bare is not None:
                    headers[at] = bare
                else:
                    del headers[at]
            elif cleaned:  # none of these sets the remote target (RFC 3261 §12.2)
                del headers[at]
            else:
                headers[at] = contact(header, from_trunk, plan)
        elif mark == IS_PRIVACY:
            if emergency or cleaned:
                del headers[at]
        elif mark == IS_TRANSFER:
            if emergency:
                del headers[at]
        elif mark == IS_REMOVED:
            del headers[at]
        else:  # IS_ANNOUNCING
            number = asserted or read_uri(request.from_.uri, from_trunk, plan).number
            if speaks_of_another(header[1], number, from_trunk, plan):
                del headers[at]
    headers = without_purpose(headers, from_trunk)
    number = asserted
    if request.to.tag:
        number = None
        if shape.asserted and judged and not from_uri:
            number = _verified(request, from_trunk, asserted, plan)
    if number is not None:
        headers.append((ASSERTED, b"<sip:" + number.canonical.encode("ascii") + b"@" + host + b";user=phone>"))
    if request.body and not says_sdp(request.headers, shape) and foreign_body(request.headers, request.body, emergency):
        headers, body = cut_out(headers, request.body)
        return Screened(headers, body)
    return Screened(headers, request.body)


def screen_response(
    response: Response, from_trunk: Trunk, to_trunk: Trunk, plan: NumberingPlan, request: Request | None = None
) -> Screened:
    """Screen a response on its way from `from_trunk` to `to_trunk`. Never refuses.

    `request`: the request as it came from `to_trunk`. With it From and To are put back to what was sent there, as
    they must be (RFC 3261 §8.2.6.2): a callee cannot change either of them in its answer (RULES Part 2(d) form 23).
    """
    shape = shape_of(response.headers)
    headers = response.headers[:]
    if request is not None:
        _restore(headers, shape, response, request)
    if from_trunk.side != "access":
        _withhold(headers, shape, from_trunk, to_trunk, request is not None)
        return Screened(headers, response.body)
    for at, mark in shape.leaving:
        header = headers[at]
        if mark == IS_FROM:
            if request is None:
                headers[at] = address(header, response.from_, from_trunk, plan)
        elif mark == IS_TO:
            if request is None:
                headers[at] = address(header, response.to, from_trunk, plan)
        elif mark == IS_TEXT:
            if not is_clean(header):
                del headers[at]
        elif mark == IS_CONTACT:
            if 300 <= response.status <= 399:  # a redirection would take the call elsewhere (RULES A43)
                del headers[at]
            else:
                headers[at] = contact(header, from_trunk, plan)
        elif mark == IS_REMOVED:
            del headers[at]
        elif mark == IS_PRIVACY:
            if not is_clean(header):
                del headers[at]
        elif mark == IS_ANNOUNCING and speaks_of_another(header[1], None, from_trunk, plan):
            del headers[at]
    body = response.body
    if body and not says_sdp(response.headers, shape) and foreign_body(response.headers, body):
        headers, body = cut_out(headers, body)
    return Screened(headers, body)


def emergency_uri(canonical: str, host: bytes) -> bytes:
    """The From URI of an emergency call whose caller is unproven: the trunk's emergency CLI. `host`: advertised
    host[:port]."""
    return b"sip:" + canonical.encode("ascii") + b"@" + host + b";user=phone"


def _verified(request: Request, trunk: Trunk, asserted: Number | None, plan: NumberingPlan) -> Number | None:
    """The number a judged request inside a dialog may go on asserting."""
    return asserted if asserted is not None else read_uri(request.from_.uri, trunk, plan).number


def _withhold(headers: Headers, shape: Shape, from_trunk: Trunk, to_trunk: Trunk, restored: bool = False) -> None:
    """Take out the network's identity, unless it is believed there and may be shown here (RFC 3324, RFC 3325 §7), and
    what is no text. `restored`: From and To are what `to_trunk` wrote itself."""
    hidden = shape.private and withholds_identity(headers)
    trusted = from_trunk.trusted and to_trunk.trusted and not hidden
    for at, mark in shape.arriving:
        if mark == IS_NAMED:
            own = restored and (at == shape.from_at or at == shape.to_at)
            if not own and not headers[at][1].isascii():
                headers[at] = nameless(headers[at])
            continue
        drop = not trusted if mark == IS_NETWORK else hidden and mark == IS_KIN
        if drop or not is_clean(headers[at]):
            del headers[at]


def _restore(headers: Headers, shape: Shape, response: Response, request: Request) -> None:
    """Put From and To back to what `request` had, with the tag that this response's To has."""
    from_ = request.get(FROM)
    to = request.get(TO)
    if from_ is None or to is None:
        return
    if not request.to.tag and response.to.tag:
        to += b";tag=" + response.to.tag
    at = shape.from_at
    if at >= 0 and headers[at][1] != from_:
        headers[at] = (FROM, from_)
    at = shape.to_at
    if at >= 0 and headers[at][1] != to:
        headers[at] = (TO, to)
