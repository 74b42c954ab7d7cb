"""What a dry run of a registry file would change, for people: the first rows, and how many."""

from __future__ import annotations

from dataclasses import fields

from gateway.control.importer.differences import SHOWN
from gateway.control.importer.problems import MAX_VALUE
from gateway.registry.model import Snapshot

TABLES = ("operators", "tenants", "trunks", "ranges")
SECRET = "digest"


def registry_differences(stored: Snapshot, wanted: Snapshot) -> tuple[int, int, int, list[str]]:
    """Rows that are new, that are other than before, that are gone; and the first of each, one line each."""
    new: list[str] = []
    other: list[str] = []
    gone: list[str] = []
    counts = [0, 0, 0]
    for table in TABLES:
        before = {row.id: row for row in getattr(stored, table)}
        after = {row.id: row for row in getattr(wanted, table)}
        kind = table[:-1]
        for row_id, row in after.items():
            known = before.get(row_id)
            if known is None:
                counts[0] += 1
                if len(new) < SHOWN:
                    new.append(f"{kind} {row_id}: new")
            elif known != row:
                counts[1] += 1
                if len(other) < SHOWN:
                    other.append(f"{kind} {row_id}: {_changes(known, row)}")
        for row_id in before:
            if row_id not in after:
                counts[2] += 1
                if len(gone) < SHOWN:
                    gone.append(f"{kind} {row_id}: goes")
    return counts[0], counts[1], counts[2], [*gone, *other, *new][:SHOWN]


def _changes(before: object, after: object) -> str:
    said = []
    for field in fields(before):  # type: ignore[arg-type]
        old, new = getattr(before, field.name), getattr(after, field.name)
        if old != new:
            said.append(f"{field.name} {_shown(old)} -> {_shown(new)}" if field.name != SECRET else field.name)
    return ", ".join(said)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MAX_VALUE else text[:MAX_VALUE] + "…"
