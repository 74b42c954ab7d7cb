"""The call attempt: one INVITE outside a dialog, read once, with the facts that memory holds.

`read_attempt` is all that lies between a parsed request and the rules. It asks nobody, keeps nothing, and raises
nothing: every oddity is a fact that some rule refuses. Outbound, the call centre's number is the caller's and the
subscriber is the callee; inbound it is the other way round, and the caller is only recorded.
"""

from __future__ import annotations

from gateway.gate.callee import Callee, forced_route, read_called, read_callee
from gateway.gate.identity import CallerIdentity, derive_caller, read_party
from gateway.gate.identity_headers import ASSERTED
from gateway.gate.purpose import state_purpose
from gateway.gate.shape import Shape, shape_of
from gateway.gate.userpart import is_phone, read_uri, reads_same
from gateway.registry.model import NumberRange, Trunk
from gateway.registry.number import Number
from gateway.registry.registry import Registry
from gateway.sip.message import Request
from policies.facts import (
    CALLEE_MALFORMED,
    CALLER_MALFORMED,
    CALLER_OK,
    INBOUND,
    NUMBER_LENGTH,
    NUMBER_OK,
    NUMBER_UNASSIGNED,
    OUTBOUND,
    Facts,
)


class CallAttempt:
    """One call attempt, read.

    `number`: the call centre's number, None where there is none to read. `subscriber`: canonical number of the other
    side, "" for none: it is personal data and stands in no fact. `emergency`: the plan's digits, or "". `range`: of
    `number`. `routes`: trunks the call may leave by, in order; `facts.route` is the first one's id. `target`: user
    part of the Request-URI that leaves, b"" where the call cannot. `proven`: outbound, the caller number is verified
    and this trunk's to present: only then it is asserted, whatever the rules in force say.
    """

    __slots__ = (
        *("callee", "callee_detail", "caller", "direction", "emergency", "facts", "number", "proven", "range"),
        *("request", "routes", "subscriber", "target", "trunk"),
    )

    def __init__(
        self, request: Request, trunk: Trunk, caller: CallerIdentity, callee: Callee, facts: Facts, emergency: str = ""
    ) -> None:
        self.request = request
        self.trunk = trunk
        self.direction = facts.direction
        self.caller = caller
        self.callee = callee.number
        self.callee_detail = callee.detail
        self.emergency = emergency
        self.facts = facts
        self.number: Number | None = None
        self.subscriber = ""
        self.range: NumberRange | None = None
        self.routes: tuple[Trunk, ...] = ()
        self.target = callee.target
        self.proven = False

    def request_uri(self, host: bytes) -> bytes:
        """The Request-URI to send to `host` (host[:port]): the gated number, and nothing else of the one received.

        `user=phone` stays where the caller wrote it, or wrote a tel URI. b"" where the call cannot go on.
        """
        if not self.target:
            return b""
        received = self.request.target
        phone = received.scheme == b"tel" or (received.params != b"" and is_phone(received))
        return b"sip:" + self.target + b"@" + host + (b";user=phone" if phone else b"")


def read_attempt(
    request: Request, trunk: Trunk, registry: Registry, at: float, own_hosts: frozenset[bytes]
) -> CallAttempt:
    """Read an initial INVITE from this trunk. `at`: epoch seconds. `own_hosts`: see `callee.forced_route`.

    The proxy's own Route is gone already. Emergency attempts (`emergency` set) go before every rule, but not before
    `facts.forced_route`.
    """
    shape = shape_of(request.headers)
    if trunk.side == "access":
        attempt = _outbound(request, trunk, registry, at, shape)
    else:
        attempt = _inbound(request, trunk, registry, at)
    facts = attempt.facts
    operator = registry.operator(trunk.operator) if trunk.operator else None
    if trunk.state != "active" or (operator is not None and operator.state != "active"):
        facts.trunk_state = "suspended"
    if operator is not None:
        facts.operator_class = operator.operator_class
        _add_admission(attempt, registry, at)
    facts.trunk_origin = trunk.origin
    facts.trunk_region = trunk.region
    facts.forced_route = forced_route(request, own_hosts, shape)
    facts.transfer = shape.transfer
    return attempt


def _outbound(request: Request, trunk: Trunk, registry: Registry, at: float, shape: Shape) -> CallAttempt:
    caller = derive_caller(request, trunk, registry.plan, shape)
    callee = read_callee(request, trunk, registry)
    facts = Facts(
        OUTBOUND,
        at,
        trunk.id,
        trunk.operator,
        caller_status=caller.status,
        caller_detail=caller.detail,
        callee_status=callee.status,
        callee_detail=callee.detail,
    )
    attempt = CallAttempt(request, trunk, caller, callee, facts, callee.emergency)
    _add_number(attempt, caller.number, registry, at)
    if caller.number is None:
        _add_stretched(attempt, registry)
    elif attempt.range is not None:
        attempt.routes = registry.route_outbound(attempt.range)
    attempt.proven = _proven(attempt, at)
    if callee.number is not None:
        _add_subscriber(attempt, callee.number, registry)
    if callee.emergency:
        attempt.subscriber = callee.emergency
        attempt.routes = attempt.routes or tuple(
            other for other in registry.trunks if other.side == "core" and other.state == "active"
        )
    if attempt.routes:
        route = attempt.routes[0]
        facts.route = route.id
        presented = caller.number
        if presented is not None and facts.caller_status == CALLER_OK and not reads_same(presented, trunk, route):
            # From leaves as received, and would be another number over there
            facts.caller_status, facts.caller_detail = CALLER_MALFORMED, "From: local form"
            attempt.proven = False
        if not callee.emergency:
            _localise(attempt, route)
    return attempt


def _inbound(request: Request, trunk: Trunk, registry: Registry, at: float) -> CallAttempt:
    callee = read_called(request, trunk, registry)
    caller = _read_caller(request, trunk, registry)
    facts = Facts(INBOUND, at, trunk.id, trunk.operator, callee_status=callee.status, callee_detail=callee.detail)
    attempt = CallAttempt(request, trunk, caller, callee, facts)
    _add_number(attempt, callee.number, registry, at)
    if caller.number is not None:
        _add_subscriber(attempt, caller.number, registry)
    if attempt.range is not None:
        attempt.routes = registry.route_inbound(attempt.range)
        if not attempt.routes:
            facts.trunk_closed = _closed(attempt.range, registry)
        if attempt.routes:
            facts.route = attempt.routes[0].id
            _localise(attempt, attempt.routes[0])
    return attempt


def _add_number(attempt: CallAttempt, number: Number | None, registry: Registry, at: float) -> None:
    """The call centre's number and its range."""
    if number is None:
        return
    attempt.number = number
    facts = attempt.facts
    facts.number = number.canonical
    facts.number_kind = number.kind
    row = registry.ranges.find(number.canonical, at)
    if row is None:
        near = registry.ranges.near(number.canonical)
        facts.number_status = NUMBER_UNASSIGNED if near is None else NUMBER_LENGTH
        return
    attempt.range = row
    facts.number_status = NUMBER_OK
    facts.range_id = row.id
    facts.range_operator = row.operator
    facts.range_trunks = row.trunks
    facts.range_state = row.state_at(at) if row.steps else row.state
    facts.range_valid_from = row.valid_from
    facts.range_valid_to = row.valid_to
    facts.range_outbound = row.outbound
    facts.range_inbound = row.inbound
    facts.range_purposes = row.purposes
    facts.range_regions = row.regions
    facts.tenant = row.tenant
    state_purpose(facts, attempt.request, attempt.trunk, row.purposes)


def _add_admission(attempt: CallAttempt, registry: Registry, at: float) -> None:
    """What papers and restrictions say of an outbound call: of its operator, trunk, tenant, number, at this second."""
    facts = attempt.facts
    trunk = attempt.trunk
    row = attempt.range
    admissions = registry.admissions
    facts.denials = admissions.papers(trunk.id, row.tenant if row is not None else "", at)
    facts.restrictions = admissions.restrictions(trunk.id, facts.number, at)
    if not trunk.outbound:
        facts.trunk_closed = trunk.id
    if row is None:
        return
    for bar in row.bars:
        if bar.holds(at):
            facts.denials += (bar.words,)
    if row.carriers and not attempt.routes:
        facts.denials += (f"A14: no active core trunk of the filed carriers ({', '.join(row.carriers)})",)


def _closed(row: NumberRange, registry: Registry) -> str:
    """The first trunk of a range that is not connected for inbound calls (RULES A28), where there is one."""
    for trunk_id in row.trunks:
        trunk = registry.trunk(trunk_id)
        if trunk is not None and not trunk.inbound:
            return trunk_id
    return ""


def _add_stretched(attempt: CallAttempt, registry: Registry) -> None:
    """Digits that are no number of the plan because some were added to or cut from one of ours (RULES A19, form 13)."""
    caller = attempt.caller
    if caller.status != CALLER_MALFORMED or not caller.digits:
        return
    plus = caller.digits[:1] == b"+"
    digits = caller.digits[1:] if plus else caller.digits
    if registry.stretched(digits, plus, attempt.trunk.country) is not None:
        facts = attempt.facts
        facts.caller_status, facts.caller_detail = CALLER_OK, ""
        facts.number_status = NUMBER_LENGTH
        facts.number = caller.digits.decode("ascii")


def _add_subscriber(attempt: CallAttempt, number: Number, registry: Registry) -> None:
    """The other party: kind, region and zone as facts, the number itself apart."""
    attempt.subscriber = number.canonical
    facts = attempt.facts
    facts.subscriber_kind = number.kind
    facts.subscriber_region = number.region
    facts.subscriber_zone = registry.plan.zone_of(number)


def _localise(attempt: CallAttempt, route: Trunk) -> None:
    """Spell the target out where the next hop would read its digits otherwise: another area, another country."""
    number = attempt.callee
    if number is None or not attempt.target or reads_same(number, attempt.trunk, route):
        return
    if number.canonical[0] == "+":
        attempt.target = number.canonical.encode("ascii")
        return
    attempt.target = b""  # a short code has no form that is good abroad
    attempt.callee = None
    attempt.facts.callee_status = CALLEE_MALFORMED
    attempt.facts.callee_detail = attempt.callee_detail = "Request-URI: short code of another country"


def _proven(attempt: CallAttempt, at: float) -> bool:
    """May this caller be asserted? Asked apart from the rules: emergency calls go before them, and a rule in shadow
    mode lets a caller pass whom nobody vouches for."""
    row = attempt.range
    trunk = attempt.trunk
    return (
        attempt.facts.caller_status == CALLER_OK
        and row is not None
        and row.operator == trunk.operator
        and trunk.id in row.trunks
        and attempt.facts.range_state == "enabled"
        and row.valid_from <= at
        and (not row.valid_to or at < row.valid_to)
    )


def _read_caller(request: Request, trunk: Trunk, registry: Registry) -> CallerIdentity:
    """An inbound caller, recorded and not judged: what a trusted network asserts, else what From says."""
    presented = request.from_.uri
    if trunk.trusted:
        for value in request.get_all(ASSERTED):
            number = read_party(value, trunk, registry.plan)
            if number is not None:
                return CallerIdentity(CALLER_OK, "", number, presented, b"")
    reading = read_uri(presented, trunk, registry.plan)
    return CallerIdentity(CALLER_OK, "", reading.number, presented, reading.digits)
