"""Writes the registry as the TOML that `import registry` reads."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from gateway.registry.model import Snapshot
from gateway.store.sql.records import next_hop_text


def registry_toml(snapshot: Snapshot) -> str:
    """Operators, purposes, trunks, ranges. The numbering plan's rows stay where they came from: a plan
    file."""
    parts = [f"# Registry version {snapshot.version}\n"]
    for operator in snapshot.operators:
        parts.append(
            _table(
                "operator",
                {"id": operator.id, "name": operator.name, "class": operator.operator_class, "state": operator.state},
            )
        )
    for name in sorted(snapshot.purposes, key=lambda name: snapshot.purposes[name]):
        parts.append(_table("purpose", {"name": name}))
    for trunk in snapshot.trunks:
        row: dict[str, object] = {
            "id": trunk.id,
            "side": trunk.side,
            "operator": trunk.operator,
            "sources": trunk.sources,
            "listeners": trunk.listeners,
            "next_hops": [next_hop_text(hop) for hop in trunk.next_hops],
            "trusted": trunk.trusted,
            "state": trunk.state,
            "country": trunk.country,
            "area": trunk.area,
            "emergency_cli": trunk.emergency_cli,
        }
        parts.append(_table("trunk", row))
    for item in snapshot.ranges:
        parts.append(
            _table(
                "range",
                {
                    "id": item.id,
                    "first": item.first,
                    "last": item.last,
                    "operator": item.operator,
                    "trunks": item.trunks,
                    "egress": item.egress,
                    "outbound": item.outbound,
                    "inbound": item.inbound,
                    "purposes": item.purposes,
                    "certificate": item.certificate,
                    "filing": item.filing,
                    "valid_from": _time(item.valid_from),
                    "valid_to": _time(item.valid_to),
                    "state": item.state,
                },
            )
        )
    return "\n".join(parts)


def _table(name: str, row: dict[str, object]) -> str:
    lines = [f"{key} = {_value(value)}" for key, value in row.items() if value not in ("", (), [])]
    return "\n".join([f"[[{name}]]", *lines, ""])


def _value(value: object) -> str:
    """TOML's strings, booleans and arrays are written as JSON's (TOML 1.0: basic strings)."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat() if at else ""
