"""Writes the registry as the TOML that `import registry` reads."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping

from gateway.control.importer.registry_rows import document_row, operator_row, range_row, tenant_row, trunk_row
from gateway.registry.model import PlanEntry, Snapshot
from gateway.registry.papers import Document
from gateway.registry.plan_csv import COLUMNS


def registry_toml(snapshot: Snapshot, titles: Mapping[str, str], documents: Iterable[Document] = ()) -> str:
    """Everything `import registry` reads: plan, purposes with their `titles`, operators, tenants, trunks, ranges,
    documents. Imported into an empty database it makes the same registry."""
    parts = [f"# Registry version {snapshot.version}\n"]
    if snapshot.plan:
        parts.append(_plan(snapshot))
    for name in sorted(snapshot.purposes, key=lambda name: snapshot.purposes[name]):
        title = titles.get(name, "")
        parts.append(_table("purpose", {"name": name, "title": title} if title else {"name": name}))
    parts += [_table("operator", operator_row(row)) for row in snapshot.operators]
    parts += [_table("tenant", tenant_row(row)) for row in snapshot.tenants]
    parts += [_table("trunk", trunk_row(row)) for row in snapshot.trunks]
    parts += [_table("range", range_row(row)) for row in snapshot.ranges]
    parts += [_table("document", document_row(row)) for row in documents]
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
        zone = f"zone={entry.zone}" if entry.zone else ""
        notes = "; ".join([entry.region, *filter(None, (first, zone))])
        rows.writerow((entry.prefix, entry.kind, entry.min_len, entry.max_len, entry.caller, notes))
    return out.getvalue()


def _table(name: str, row: Mapping[str, object]) -> str:
    lines = [f"{key} = {_value(value)}" for key, value in row.items()]
    return "\n".join([f"[[{name}]]", *lines, ""])


def _value(value: object) -> str:
    """TOML's strings, numbers, booleans and arrays are written as JSON's (TOML 1.0: basic strings)."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + " }" if value else "{}"
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(map(_value, value)) + "]"
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("\x7f", "\\u007f")  # a control character to TOML, none to JSON
