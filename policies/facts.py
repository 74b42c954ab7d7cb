"""The facts a rule may look at: plain values, no subscriber number among them.

The gate fills one `Facts` per call attempt; the decision record keeps it as it was, so that a decision can
be replayed later without revealing a subscriber. Outbound, the *number* is the
caller's (the call centre's own code number); inbound it is the callee's. The other party is the
*subscriber*: only its kind, region and time zone are here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from policies.band import UNKNOWN_MINUTE

OUTBOUND: Final = "outbound"
INBOUND: Final = "inbound"

# caller_status, outbound
CALLER_OK: Final = "ok"
CALLER_HIDDEN: Final = "hidden"
CALLER_MISSING: Final = "missing"
CALLER_MALFORMED: Final = "malformed"
CALLER_MISMATCH: Final = "mismatch"

# callee_status, outbound and inbound
CALLEE_OK: Final = "ok"
CALLEE_MALFORMED: Final = "malformed"
CALLEE_MISMATCH: Final = "mismatch"

# number_status: how the call centre's number stands to the registry
NUMBER_OK: Final = "ok"
NUMBER_UNASSIGNED: Final = "unassigned"
NUMBER_LENGTH: Final = "length"
"""A range holds this number with digits added or cut (RULES A19)."""

# consent
CONSENT_UNREAD: Final = ""
CONSENT_LIVE: Final = "live"
CONSENT_NONE: Final = "none"
CONSENT_REVOKED: Final = "revoked"
CONSENT_EXPIRED: Final = "expired"


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted of this callee before the call, as the store had it at the decision. Milliseconds."""

    callee_ages_ms: tuple[int, ...] = ()
    """How long ago counted calls of all callers were, newest first; not more of them than the pack's limits ask for."""
    operator_ages_ms: tuple[int, ...] = ()
    """Those of this operator."""
    result_ages_ms: tuple[int, ...] = (-1, -1, -1)
    """Three: how long ago this operator's calls were declined, busy, unanswered (`cooldown.RESULTS`); -1: none is
    known."""
    trigger_age_ms: int = -1
    """How long ago the callee called this operator, or a transaction was reported; -1: none is known."""
    since_ms: int = 0
    """Since when the store counts, epoch milliseconds: after it was emptied, a short while."""


MaybeCounted = Counted | None


@dataclass(slots=True)
class Facts:
    """What is known of one call attempt. Filled in two steps: memory first, the store second."""

    direction: str
    at: float
    """Time of the decision, epoch seconds."""
    trunk: str
    trunk_operator: str = ""
    trunk_state: str = "active"
    """`suspended` when the trunk or its operator is: no new calls, dialogs go on."""
    trunk_closed: str = ""
    """The access trunk that is not connected for calls of this direction (RULES A28), empty where none is."""
    operator_class: str = ""
    """What the trunk's operator is in law (`call_centre`, `own_customers` …); outbound only."""
    number: str = ""
    """Canonical number of the call centre's side, empty where there is none to name."""
    number_kind: str = ""
    caller_status: str = CALLER_OK
    caller_detail: str = ""
    """Names what hid, broke or contradicted the caller number, e.g. `From / P-Asserted-Identity`. No number
    in it."""
    callee_status: str = CALLEE_OK
    callee_detail: str = ""
    subscriber_kind: str = ""
    subscriber_region: str = ""
    subscriber_zone: str = ""
    subscriber_minute: int = UNKNOWN_MINUTE
    """Minute of the week in that zone at `at`, 0 is Monday 00:00; read only where a rule needs it."""
    subscriber_day: int = 0
    """Its local date, proleptic ordinal; read with the minute, 0 where that is unknown."""
    number_status: str = NUMBER_UNASSIGNED
    range_id: str = ""
    range_operator: str = ""
    range_trunks: tuple[str, ...] = ()
    range_state: str = ""
    range_valid_from: float = 0.0
    range_valid_to: float = 0.0
    range_outbound: bool = False
    range_inbound: bool = False
    tenant: str = ""
    """Tenant of a seat rental that uses the number (RULES A45)."""
    range_purposes: tuple[str, ...] = ()
    range_regions: tuple[str, ...] = ()
    """Where its certificate lets it be used (RULES B02), empty where it does not say."""
    trunk_region: str = ""
    trunk_origin: str = "domestic"
    """Where the trunk's calls come from: `domestic` or `foreign`."""
    purpose: str = ""
    purpose_detail: str = ""
    """Why the purpose the trunk's header gives cannot be read, empty where it can or none is given."""
    route: str = ""
    """Trunk the call would leave by, empty where there is none."""
    forced_route: str = ""
    """What tried to choose the target (`Route`, `maddr`, `Request-URI host`), empty where nothing did."""
    transfer: str = ""
    """Header that transfers or replaces a call (`Replaces`, `Join`, `Refer-To`), empty where none."""
    denials: tuple[str, ...] = ()
    """What papers say against an outbound call at this second, as `clause: reason`."""
    restrictions: tuple[str, ...] = ()
    """Restrictions of its operator, trunk or number that an outbound call meets at this second."""
    consent: str = CONSENT_UNREAD
    refusals: tuple[str, ...] = field(default_factory=tuple)
    """The callee's refusals that apply to this call, as `scope` or `scope:value`; with ` @band` behind it where they
    count at some times only (`policies.band`)."""
    share: int = 0
    """0..99, even over calls, from the decision id: a rule at ten per cent of a trunk refuses those below ten."""
    patterns: tuple[tuple[str, int], ...] = ()
    """How its trunk has called lately, as (what, count): `gate.patterns`; only where a rule looks at it."""
    counted: "MaybeCounted" = None  # noqa: UP037 - the compiler keeps no union, but quoted names, for decoding records
    """None where no rule in force asks for anything that is counted."""
