"""Registry rows as the tables of a registry file: what `registry_tables` reads back into the same rows.

Values that are as they are by default are left out, so that a file stays readable."""

from __future__ import annotations

from datetime import UTC, datetime

from gateway.registry.model import DIGEST_ALGORITHMS, NumberRange, Operator, Trunk
from gateway.registry.paper_fields import plain_detail
from gateway.registry.papers import Document
from gateway.registry.standing import Tenant
from gateway.store.sql.records import next_hop_text

Row = dict[str, object]
_KEPT = ("trunks", "sources", "next_hops", "outbound", "inbound", "state")
"""Written even where they are empty or as by default: a reader looks for them."""


def operator_row(row: Operator) -> Row:
    """`[[operator]]`."""
    written = {"id": row.id, "name": row.name, "class": row.operator_class, "state": row.state}
    return _short({**written, "credit_code": row.credit_code})


def tenant_row(row: Tenant) -> Row:
    """`[[tenant]]`."""
    return _short(
        {"id": row.id, "operator": row.operator, "name": row.name, "credit_code": row.credit_code, "state": row.state}
    )


def trunk_row(row: Trunk) -> Row:
    """`[[trunk]]`. Secrets of digest accounts are sealed: of use only where the key file is."""
    found: Row = {
        "id": row.id,
        "side": row.side,
        "operator": row.operator,
        "sources": row.sources,
        "listeners": row.listeners,
        "next_hops": [next_hop_text(hop) for hop in row.next_hops],
        "trusted": row.trusted,
        "state": row.state,
        "country": row.country,
        "area": row.area,
        "emergency_cli": row.emergency_cli,
        "answers": [{"rule": rule, "status": status, "phrase": phrase} for rule, status, phrase in row.answers],
        "needs_asserted": row.needs_asserted,
        "ports": row.ports,
        "transports": row.transports,
        "tls_names": row.tls_names,
        "digest": [{"user": one.user, "realm": one.realm, "secrets": dict(one.secrets)} for one in row.digest],
        "algorithms": row.algorithms if row.algorithms != DIGEST_ALGORITHMS else (),
        "carrier": row.carrier,
        "circuit": row.circuit,
        "contract": row.contract,
        "contract_from": time_text(row.contract_from),
        "contract_to": time_text(row.contract_to),
        "agreement": row.agreement,
        "region": row.region,
        "origin": row.origin if row.origin != "domestic" else "",
        "purpose_header": row.purpose_header,
        "channels": row.channels or "",
        "cps": row.cps or "",
    }
    if row.is_access:
        found |= {"outbound": row.outbound, "inbound": row.inbound}
    return _short(found)


def range_row(row: NumberRange) -> Row:
    """`[[range]]`."""
    return _short(
        {
            "id": row.id,
            "first": row.first,
            "last": row.last,
            "length": row.length or "",
            "operator": row.operator,
            "tenant": row.tenant,
            "trunks": row.trunks,
            "egress": row.egress,
            "outbound": row.outbound,
            "inbound": row.inbound,
            "purposes": row.purposes,
            "regions": row.regions,
            "carriers": row.carriers,
            "certificate": row.certificate,
            "filing": row.filing,
            "valid_from": time_text(row.valid_from),
            "valid_to": time_text(row.valid_to),
            "state": row.state,
            "steps": [{"state": state, "from": time_text(since)} for since, state in row.steps],
        }
    )


def document_row(row: Document) -> Row:
    """`[[document]]`, with the fields of its kind."""
    return _short(
        {
            "id": row.id,
            "kind": row.kind,
            "operator": row.operator,
            "tenant": row.tenant,
            "reference": row.reference,
            "result": row.result if row.result != "accepted" else "",
            "valid_from": time_text(row.valid_from),
            "valid_to": time_text(row.valid_to),
            "supersedes": row.supersedes,
            "sha256": row.sha256,
            "recorded_by": row.recorded_by,
            "recorded_at": time_text(row.recorded_at),
            **plain_detail(row.detail),
        }
    )


def time_text(at: float) -> str:
    """RFC 3339; empty for 0, which is open."""
    return datetime.fromtimestamp(at, UTC).isoformat() if at else ""


def _short(row: Row) -> Row:
    return {key: value for key, value in row.items() if key in _KEPT or value not in ("", (), [])}
