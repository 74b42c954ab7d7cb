"""What the registry knows: operators, trunks, number ranges. Plain immutable values.

Every value here is made from a *snapshot*: one version of the whole registry, written by the control plane
and swapped atomically in the workers (DESIGN §4 for the words). Times are epoch seconds (float), numbers
are canonical strings (`+8657112340001` or a short code such as `95588`, see `numbering`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal

from gateway.registry.standing import Bar, Restriction, Standing, Tenant

DIGEST_ALGORITHMS = ("SHA-256", "SHA-512-256")
"""Of a digest trunk that names none (RFC 8760)."""

Side = Literal["access", "core"]
"""`access`: towards the call centre. `core`: towards the carrier's network."""

Origin = Literal["domestic", "foreign"]
"""Where a trunk's calls come from: the country of the plan, or abroad."""

RangeState = Literal["assigned", "filed", "enabled", "suspended", "recalled"]
"""Life cycle of a code number (RULES A18): only `enabled` may be presented."""

Step = tuple[float, RangeState]
"""From when (epoch seconds) a number range is in which state."""

CALL_CENTRE = "call_centre"
OPERATOR_CLASSES = (
    *(CALL_CENTRE, "seat_rental", "own_customers", "labour_only", "tech_only"),
    *("voice_platform", "message_provider", "mvno"),
)
"""What an operator is in law, which decides what it needs (RULES 1C.1): a licensed call centre; one that rents systems
and seats to tenants (A45); an organisation that serves its own customers only (A46); people without a system (A47);
technical services (A48); a platform for voice calls (B14); a provider of messages; a reseller of mobile service."""


@dataclass(frozen=True, slots=True)
class Operator:
    """A call-centre business that holds trunks and numbers."""

    id: str
    name: str
    number: int
    """Small integer that stands for the operator in Redis fields (1..65535)."""
    operator_class: str = CALL_CENTRE
    """One of `OPERATOR_CLASSES`."""
    state: Literal["active", "suspended"] = "active"
    credit_code: str = ""
    """Unified social credit code: which legal person it is, whatever its name (RULES A23, B15)."""


Place = tuple[str, int, str]
"""Host, port and transport of a next hop as they are configured."""


@dataclass(frozen=True, slots=True)
class NextHop:
    """One address a trunk is reached at, tried in the order given; or a name that leads to some (RFC 3263)."""

    host: str
    port: int = 5060
    """0 after a name alone: SRV records say the port."""
    transport: Literal["udp", "tcp", "tls", ""] = "udp"
    """Empty after a name alone: NAPTR and SRV records say it."""
    large: bool = False
    """UDP: takes requests that are too large for a datagram over TCP, at the same port (RFC 3261 §18.1.1)."""
    drained: bool = False
    """Taken out of use by hand (`callgate peer drain`): it gets no new call."""

    @property
    def place(self) -> Place:
        """What stays the same when it is drained."""
        return (self.host, self.port, self.transport)

    @property
    def is_name(self) -> bool:
        """False for an IP address."""
        try:
            ip_address(self.host.strip("[]"))
        except ValueError:
            return True
        return False


@dataclass(frozen=True, slots=True)
class DigestAccount:
    """What a trunk without a fixed address logs in with (RFC 3261 §22, RFC 8760)."""

    user: str
    realm: str
    secrets: tuple[tuple[str, str], ...] = ()
    """(algorithm, H(A1) sealed with the deployment's key: `gate.seal`). None: nobody can log in yet."""


@dataclass(frozen=True, slots=True)
class Trunk:
    """A configured peer group, recognised by source address *and* listener, and by what else is set here. One with
    `digest` accounts is recognised by these; its source, ports, transports and names then only narrow who may try."""

    id: str
    side: Side
    operator: str = ""
    """Operator id; empty on a core trunk."""
    sources: tuple[str, ...] = ()
    """Source networks in CIDR or address form; may be empty, which is any, where there are `digest` accounts."""
    listeners: tuple[str, ...] = ()
    """Listener names this trunk may use; empty = any."""
    next_hops: tuple[NextHop, ...] = ()
    trusted: bool = False
    """RFC 3324 trust domain: identity may be shown to this peer (access) or believed from it (core)."""
    state: Literal["active", "suspended"] = "active"
    country: str = "86"
    """Country code that 0-national and local forms on this trunk are read in."""
    area: str = ""
    """Area code that local forms are read in; empty: local forms are refused."""
    emergency_cli: str = ""
    """Canonical number put into From, never asserted, when the caller of an emergency call is unproven."""
    answers: tuple[tuple[str, int, str], ...] = ()
    """Per-trunk answers: (rule id, status, phrase), over the pack's."""
    needs_asserted: bool = False
    """Access: an INVITE without P-Asserted-Identity is refused (RULES Part 2(d) form 6)."""
    ports: tuple[int, ...] = ()
    """Source ports; empty = any."""
    transports: tuple[str, ...] = ()
    """`udp`, `tcp`, `tls`; empty = any."""
    tls_names: tuple[str, ...] = ()
    """Domains or addresses, lower case, of which the client certificate must name one (RFC 5922 §7.1); empty = none
    is asked for."""
    digest: tuple[DigestAccount, ...] = ()
    algorithms: tuple[str, ...] = DIGEST_ALGORITHMS
    """Offered to its accounts and taken from them. MD5 only where it is named here: for phones that know nothing
    better, alone for those that look at the first challenge only."""
    outbound: bool = True
    """Access: calls may come from it. The narrower of trunk and number counts (RULES A28)."""
    inbound: bool = True
    """Access: calls may be delivered to it."""
    carrier: str = ""
    """The carrier it belongs to (core) or is connected by (access), as filings name it (RULES A14, A41)."""
    circuit: str = ""
    """The carrier's id of the line."""
    contract: str = ""
    """Number of the contract it is had under."""
    contract_from: float = 0.0
    contract_to: float = 0.0
    """0 = open."""
    agreement: str = ""
    """Id of the cooperation agreement, a document (RULES A31): decision records name it."""
    region: str = ""
    """Province or region it is connected in, as licences and certificates name it; empty: not stated."""
    origin: Origin = "domestic"
    """`foreign`: what it carries comes from abroad, and packs may hold its callers to other lists."""
    purpose_header: str = ""
    """Access: header in which it states what a call is for, e.g. `X-Purpose`; empty: the number's filing says it."""
    channels: int = 0
    """Calls it may carry at once, in both directions; 0: as many as come."""
    cps: int = 0
    """Calls it may set up in any second, in both directions; 0: as many as come."""

    @property
    def is_access(self) -> bool:
        """True towards the call centre."""
        return self.side == "access"

    @property
    def identified_by(self) -> str:
        """How a message is known for this trunk's: `digest`, `tls` (and source), or `source`."""
        if self.digest:
            return "digest"
        return "tls" if self.tls_names else "source"


@dataclass(slots=True, unsafe_hash=True)
class NumberRange:
    """An assigned block of code numbers of one exact digit length.

    Never changed once made, though not `frozen`: a frozen dataclass of so many fields takes four times as long to
    make, and `RangeTable.find` makes one for a number whose range was not asked for lately.
    """

    id: str
    first: str
    last: str
    operator: str
    trunks: tuple[str, ...]
    """Access trunks that may present it and that calls to it are delivered to, in order."""
    egress: tuple[str, ...] = ()
    """Core trunks it may leave by; empty = every core trunk."""
    outbound: bool = False
    """May be presented as caller. False unless the certificate says so (RULES A10)."""
    inbound: bool = True
    purposes: tuple[str, ...] = ()
    """Purposes it may be used for; the first is the default purpose of its calls."""
    certificate: str = ""
    filing: str = ""
    valid_from: float = 0.0
    valid_to: float = 0.0
    """0 = open."""
    state: RangeState = "enabled"
    """State before the first of `steps`."""
    steps: tuple[Step, ...] = ()
    """Later states, each from its own second on, in order of time; a step may lie ahead (RULES A18)."""
    length: int = 0
    """Digits of the whole number as the certificate states them (RULES A19); 0: not stated."""
    regions: tuple[str, ...] = ()
    """Where it may be used: regions of its trunks (RULES B02); empty: everywhere."""
    carriers: tuple[str, ...] = ()
    """Carriers named in its filing: calls leave by no other (RULES A14); empty: none named."""
    tenant: str = ""
    """Tenant of a seat rental that uses it (RULES A45)."""
    bars: tuple[Bar, ...] = ()
    """What its papers say against calling out. Worked out when a snapshot is published, never stored."""

    def state_at(self, at: float) -> RangeState:
        """Its state at a time (epoch seconds)."""
        state = self.state
        for since, later in self.steps:
            if at < since:
                break
            state = later
        return state


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """One row of a numbering plan (`config/plans/*.csv`): digits after the country code."""

    prefix: str
    kind: str
    min_len: int
    max_len: int
    caller: str
    """`owner`, `cert` or `no`: may such a number be a voice caller (RULES Part 2a)."""
    region: str = ""
    sub_first: str = ""
    """Digits the subscriber part may begin with (`2-8` gives "2345678"); empty = any."""
    zone: str = ""
    """IANA time zone of its region; empty: the plan's."""


@dataclass(frozen=True, slots=True)
class Feed:
    """A decline feed, as old as its newest version (RULES B16)."""

    id: str
    version: int
    issued_at: float
    """When its owner issued that version, epoch seconds."""
    max_age_s: int

    def is_stale(self, at: float) -> bool:
        """Older than it may be at `at`, epoch seconds."""
        return at > self.issued_at + self.max_age_s


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version of everything a worker needs in memory."""

    version: int
    operators: tuple[Operator, ...] = ()
    trunks: tuple[Trunk, ...] = ()
    ranges: tuple[NumberRange, ...] = ()
    plan: tuple[PlanEntry, ...] = ()
    emergency: tuple[str, ...] = ()
    """Emergency short codes, digits only (`110`)."""
    purposes: dict[str, int] = field(default_factory=dict)
    """Purpose name to the small integer (1..255) that stands for it in Redis fields."""
    country: str = "86"
    """Country code of the plan."""
    zone: str = "Asia/Shanghai"
    """Time zone of numbers of this plan."""
    packs: dict[str, str] = field(default_factory=dict)
    """The rule packs in force, id to TOML text; exactly one of them binds nothing by name (`gate.pack_set`)."""
    tenants: tuple[Tenant, ...] = ()
    restrictions: tuple[Restriction, ...] = ()
    """Those that have not ended."""
    standings: tuple[Standing, ...] = ()
    """What papers say against operators, trunks and tenants: worked out when a snapshot is published, never stored."""
    feeds: tuple[Feed, ...] = ()
    """Decline feeds whose age counts."""
