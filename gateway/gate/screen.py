"""What leaves towards the other side: headers verified, replaced or removed, in every message of a call.

Initial requests were judged by the rules already; here they lose what only a trusted network may say, and gain the
one P-Asserted-Identity that the gateway answers for (RFC 3325 §5). Requests inside a dialog are judged here, because
no rule sees them: who changes identity or hands the call over is refused. ACK, BYE, CANCEL and PRACK are only
cleaned, for refusing them would leave a call hanging. The table of headers is in `identity`.
"""

from __future__ import annotations

from gateway.gate.agreement import examine
from gateway.gate.callee import TRANSFERS, transfer_header
from gateway.gate.identity_headers import ASSERTED, NETWORK, ORDINARY, PRIVACY, REMOVED, WITHHELD
from gateway.gate.isup import SDP, carries_isup, strip_isup
from gateway.gate.privacy import display_agrees, display_is_letters, withholds_identity
from gateway.gate.userpart import plain_digits, plain_uri, read_uri
from gateway.registry.model import Trunk
from gateway.registry.number import Number
from gateway.registry.numbering import NumberingPlan
from gateway.sip.errors import ProtocolError
from gateway.sip.message import Headers, Request, Response
from gateway.sip.nameaddr import NameAddr, parse_name_addr, split_list
from gateway.sip.names import CONTACT, CONTENT_TYPE, FROM, TO

NEVER_REFUSED = frozenset({b"ACK", b"BYE", b"CANCEL", b"PRACK"})
DIALOG_IDENTITY = "dialog-identity"
TRANSFER = "transfer"


class Screened:
    """What a message becomes. `refusal`: rule id that refuses it, "" to send it on; `detail` says why, without a
    number.

    `headers`: a new list, ready for the proxy to put Via and Record-Route in front. `body`: the body to send with them.
    """

    __slots__ = ("body", "detail", "headers", "refusal")

    def __init__(self, headers: Headers, body: bytes, refusal: str = "", detail: str = "") -> None:
        self.headers = headers
        self.body = body
        self.refusal = refusal
        self.detail = detail


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
    presented is removed unjudged. `emergency`: the call passes whatever it carries, so headers that would take over
    another call are removed instead of refused.
    """
    if from_trunk.side != "access":
        return Screened(_towards_access(request.headers, from_trunk, to_trunk), request.body)
    dialog = request.to.tag != b""
    judged = dialog and request.method not in NEVER_REFUSED and not from_uri
    if dialog and request.method not in NEVER_REFUSED:
        transfer = "REFER" if request.method == b"REFER" else transfer_header(request)
        if transfer:
            return Screened([], b"", TRANSFER, transfer)
    if judged:
        detail = _changed_identity(request, from_trunk, asserted, plan)
        if detail:
            return Screened([], b"", DIALOG_IDENTITY, detail)
    headers: Headers = []
    had_asserted = False
    isup = False
    for header in request.headers:
        name = header[0]
        if name in ORDINARY:
            if not (emergency and name in TRANSFERS):
                headers.append(header)
        elif name == FROM:
            if from_uri:
                header = (FROM, _written(b"", from_uri, request.from_.params))
            headers.append(header if from_uri else _address(header, request.from_, from_trunk, plan))
        elif name == TO:
            headers.append(_address(header, request.to, from_trunk, plan))
        elif name == CONTACT:
            headers.append(_contact(header, from_trunk, plan))
        elif name == CONTENT_TYPE:
            headers.append(header)
            isup = header[1] != SDP and carries_isup(request.headers, request.body)
        elif name == ASSERTED:
            had_asserted = True
        elif name.lower() not in REMOVED:
            headers.append(header)
    number = asserted
    if dialog:
        number = _verified(request, from_trunk, asserted, plan) if had_asserted and judged else None
    if number is not None:
        headers.append((ASSERTED, b"<sip:" + number.canonical.encode("ascii") + b"@" + host + b";user=phone>"))
    if isup:
        headers, body = strip_isup(headers, request.body)
        return Screened(headers, body)
    return Screened(headers, request.body)


def screen_response(
    response: Response, from_trunk: Trunk, to_trunk: Trunk, plan: NumberingPlan, request: Request | None = None
) -> Screened:
    """Screen a response on its way from `from_trunk` to `to_trunk`. Never refuses.

    `request`: the request as it came from `to_trunk`. With it From and To are put back to what was sent there, as
    they must be (RFC 3261 §8.2.6.2): a callee cannot change either of them in its answer (RULES Part 2(d) form 23).
    """
    if from_trunk.side != "access":
        headers = _towards_access(response.headers, from_trunk, to_trunk)
        return Screened(_restored(headers, response, request), response.body)
    headers = []
    isup = False
    for header in response.headers:
        name = header[0]
        if name in ORDINARY:
            headers.append(header)
        elif name == FROM:
            headers.append(_address(header, response.from_, from_trunk, plan) if request is None else header)
        elif name == TO:
            headers.append(_address(header, response.to, from_trunk, plan) if request is None else header)
        elif name == CONTACT:
            if not 300 <= response.status <= 399:  # a redirection would take the call elsewhere (RULES A43)
                headers.append(_contact(header, from_trunk, plan))
        elif name == CONTENT_TYPE:
            headers.append(header)
            isup = header[1] != SDP and carries_isup(response.headers, response.body)
        elif name.lower() not in REMOVED:
            headers.append(header)
    body = response.body
    if isup:
        headers, body = strip_isup(headers, body)
    return Screened(_restored(headers, response, request), body)


def emergency_uri(canonical: str, host: bytes) -> bytes:
    """The From URI of an emergency call whose caller is unproven: the trunk's emergency CLI. `host`: advertised
    host[:port]."""
    return b"sip:" + canonical.encode("ascii") + b"@" + host + b";user=phone"


def _changed_identity(request: Request, trunk: Trunk, asserted: Number | None, plan: NumberingPlan) -> str:
    """What in a request inside a dialog names another party than the dialog's; "" for nothing."""
    own = read_uri(request.from_.uri, trunk, plan)
    if asserted is not None and (own.number is None or own.number.canonical != asserted.canonical):
        return "From"
    if own.number is None:  # a dialog whose From never was a number: everything is removed instead
        return ""
    finding = examine(request, own, trunk, plan)
    return "" if finding is None else finding.detail


def _verified(request: Request, trunk: Trunk, asserted: Number | None, plan: NumberingPlan) -> Number | None:
    """The number a judged request inside a dialog may go on asserting."""
    return asserted if asserted is not None else read_uri(request.from_.uri, trunk, plan).number


def _towards_access(headers: Headers, from_trunk: Trunk, to_trunk: Trunk) -> Headers:
    """Without the network's identity, unless it is believed there and may be shown here (RFC 3324, RFC 3325 §7)."""
    private = False
    for name, _ in headers:
        if name == PRIVACY:
            private = withholds_identity(headers)
            break
    if private:
        return [header for header in headers if header[0] in ORDINARY or header[0].lower() not in WITHHELD]
    if from_trunk.trusted and to_trunk.trusted:
        return list(headers)
    return [header for header in headers if header[0] in ORDINARY or header[0].lower() not in NETWORK]


def _address(header: tuple[bytes, bytes], address: NameAddr, trunk: Trunk, plan: NumberingPlan) -> tuple[bytes, bytes]:
    """From or To: as received, or with its URI spelled plainly, or without a display-name that names another number."""
    if plain_digits(address.uri) and (not address.display or display_is_letters(address.display)):
        return header
    reading = read_uri(address.uri, trunk, plan)
    number = reading.number
    uri = address.uri if number is None or reading.plain else plain_uri(address.uri, reading.digits)
    display = address.display
    if display and not display_agrees(display, number.canonical if number is not None else "", trunk, plan):
        display = b""
    if display == address.display and uri == address.uri:
        return header
    return header[0], _written(display, uri, address.params)


def _contact(header: tuple[bytes, bytes], trunk: Trunk, plan: NumberingPlan) -> tuple[bytes, bytes]:
    """Contact as received, or without display-names that name another number than its own user part."""
    value = header[1]
    if value[:1] == b"<" and b"," not in value:
        return header
    try:
        addresses = [parse_name_addr(element) for element in split_list(value)]
    except ProtocolError:  # `*`
        return header
    if not any(address.display for address in addresses):
        return header
    written = []
    for address in addresses:
        number = read_uri(address.uri, trunk, plan).number
        canonical = number.canonical if number is not None else ""
        display = address.display if display_agrees(address.display, canonical, trunk, plan) else b""
        written.append(_written(display, address.uri, address.params))
    return header[0], b", ".join(written)


def _written(display: bytes, uri: bytes, params: bytes) -> bytes:
    value = b"<" + uri + b">"
    if display:
        value = display + b" " + value
    return value + b";" + params if params else value


def _restored(headers: Headers, response: Response, request: Request | None) -> Headers:
    """From and To as `request` had them, with the tag that this response's To has."""
    if request is None:
        return headers
    from_ = request.get(FROM)
    to = request.get(TO)
    if from_ is None or to is None:
        return headers
    if not request.to.tag and response.to.tag:
        to += b";tag=" + response.to.tag
    restored: Headers = []
    for header in headers:
        if header[0] == FROM and header[1] != from_:
            header = (FROM, from_)
        elif header[0] == TO and header[1] != to:
            header = (TO, to)
        restored.append(header)
    return restored
