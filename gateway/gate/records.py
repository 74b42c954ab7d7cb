"""The evidence records, as they stand in the journal and in PostgreSQL: one JSON object each.

`kind` tells them apart. A record names the call centre's own number in clear; the subscriber's number is a keyed hash
(`party`), a mask for people (`party_mask`) and, with raw headers, inside `sealed` (AES-GCM, base64).
"""

from __future__ import annotations

import msgspec

from policies.facts import Facts


class DecisionRecord(msgspec.Struct, tag="decision", tag_field="kind", omit_defaults=True):
    """One verdict on one call attempt, written before anything is forwarded or refused."""

    id: str
    """Decision id: 32 hex digits, derived from the server transaction's key."""
    at: int
    """Epoch microseconds."""
    node: str
    trunk: str
    direction: str
    verdict: str
    """`allow` or `refuse`."""
    rule: str
    """Id of the rule that decided; `allow` for none, `emergency` for an emergency call."""
    status: int
    """Status answered; 0 for allow."""
    reason: str
    source: str
    """`address:port/transport`."""
    call_id: str
    from_tag: str
    method: str = "INVITE"
    operator: str = ""
    number: str = ""
    party: str = ""
    """Keyed hash of the subscriber's number, 16 hex digits."""
    party_mask: str = ""
    route: str = ""
    pack: str = ""
    """`<pack id>@<version>`."""
    registry: int = 0
    shadow: tuple[str, ...] = ()
    """Rules in shadow mode that would have refused."""
    decide_us: int = 0
    lookup_us: int = 0
    facts: Facts | None = None
    sealed: bytes = b""
    """As `seal.Sealer.encrypt` made it; base64 in JSON."""
    identified: str = "source"
    """How the trunk was recognised: `source`, `tls` (its certificate as well), `digest`."""
    agreement: str = ""
    """The trunk's cooperation agreement (RULES A31), a document of the registry."""


class OutcomeRecord(msgspec.Struct, tag="outcome", tag_field="kind", omit_defaults=True):
    """How the set-up of an allowed call ended."""

    id: str
    at: int
    result: str
    """`answered`, `failed`, `cancelled`, `timeout` or `lost` (the worker died during set-up)."""
    status: int = 0
    hop: str = ""
    """Next hop that gave the final answer."""


class EndRecord(msgspec.Struct, tag="end", tag_field="kind", omit_defaults=True):
    """An answered call ended: the first BYE seen."""

    id: str
    at: int
    by: str
    """Side that released: `access` or `core`."""
    cause: str = ""
    """Reason header of the BYE, as received."""


class FloodRecord(msgspec.Struct, tag="flood", tag_field="kind", omit_defaults=True):
    """Many refusals of one source by one rule within one second, as one record."""

    at: int
    source: str
    trunk: str
    rule: str
    status: int
    count: int


class RestartRecord(msgspec.Struct, tag="restart", tag_field="kind", omit_defaults=True):
    """A worker opened this journal: what it found."""

    at: int
    node: str
    torn_bytes: int = 0
    lost_calls: int = 0
    missing_records: int = 0
    """Records that were in this journal once and are gone from its disk."""


Record = DecisionRecord | OutcomeRecord | EndRecord | FloodRecord | RestartRecord
