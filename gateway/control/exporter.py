"""Writes the registry as the TOML that `import registry` reads."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from gateway.registry.model import PlanEntry, Snapshot
from gateway.registry.plan_csv import COLUMNS
from gateway.store.sql.records import next_hop_text


def registry_toml(snapshot: Snapshot, titles: Mapping[str, str]) -> str:
    """Everything `import registry` reads: plan, purposes with their `titles`, operators, trunks, ranges. Imported
    into an empty database it makes the same registry."""
    parts = [f"# Registry version {snapshot.version}\n"]
    if snapshot.plan:
        parts.append(_plan(snapshot))
    for operator in snapshot.operators:
        parts.append(
            _table(
                "operator",
                {"id": operator.id, "name": operator.name, "class": operator.operator_class, "state": operator.state},
            )
        )
    for name in sorted(snapshot.purposes, key=lambda name: snapshot.purposes[name]):
        parts.append(_table("purpose", {"name": name, "title": titles.get(name, "")}))
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
            "answers": [{"rule": rule, "status": status, "phrase": phrase} for rule, status, phrase in trunk.answers],
            "needs_asserted": trunk.needs_asserted,
            "ports": trunk.ports,
            "transports": trunk.transports,
            "tls_names": trunk.tls_names,
            # Sealed: of use only where the key file is.
            "digest": [{"user": one.user, "realm": one.realm, "secrets": dict(one.secrets)} for one in trunk.digest],
            "algorithms": trunk.algorithms if trunk.digest else (),
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


def _plan(snapshot: Snapshot) -> str:
    """`[plan]` with its rows in it, so that the export needs no other file."""
    rows = plan_csv(snapshot.plan)
    if "'''" in rows or not rows.replace("\n", "").isprintable():  # what a TOML literal cannot hold
        raise ValueError("the plan cannot be written as a TOML literal; fix: correct its kinds and region names")
    lines = [
        "[plan]",
        f"country = {_value(snapshot.country)}",
        f"zone = {_value(snapshot.zone)}",
        f"emergency = {_value(snapshot.emergency)}",
        f"csv = '''\n{rows}'''",
    ]
    return "\n".join([*lines, ""])


def plan_csv(entries: Iterable[PlanEntry]) -> str:
    """Plan rows as `registry.plan_csv` reads them. Notes hold what the program reads of them, no more."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    for entry in entries:
        first = f"sub_first={entry.sub_first[0]}-{entry.sub_first[-1]}" if entry.sub_first else ""
        notes = f"{entry.region}; {first}" if first else entry.region
        rows.writerow((entry.prefix, entry.kind, entry.min_len, entry.max_len, entry.caller, notes))
    return out.getvalue()


_REQUIRED = ("trunks", "sources", "next_hops")
"""Lists an import must find, empty ones too."""


def _table(name: str, row: dict[str, object]) -> str:
    lines = [f"{key} = {_value(value)}" for key, value in row.items() if key in _REQUIRED or value not in ("", (), [])]
    return "\n".join([f"[[{name}]]", *lines, ""])


def _value(value: object) -> str:
    """TOML's strings, numbers, booleans and arrays are written as JSON's (TOML 1.0: basic strings)."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + " }" if value else "{}"
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(map(_value, value)) + "]"
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("\x7f", "\\u007f")  # a control character to TOML, none to JSON


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat() if at else ""
