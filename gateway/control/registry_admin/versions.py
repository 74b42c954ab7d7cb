"""Registry versions: what changed between two, and putting an old one back."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.control.importer.commit import Change, put_in_force, refuse_shrinking
from gateway.control.importer.registry import as_at_hand
from gateway.control.importer.registry_rows import operator_row, range_row, tenant_row, trunk_row
from gateway.control.registry_admin.changing import Changed, locked, refuse_invalid
from gateway.control.two_persons import By, require_second
from gateway.registry.model import Snapshot, Trunk
from gateway.registry.openings import openings
from gateway.registry.shrink import DEFAULT_SHARE
from gateway.registry.validate import validate
from gateway.store.sql import registry as sql
from gateway.store.sql.registry_versions import snapshot_at

_ROWS = (
    ("operator", "operators", operator_row),
    ("tenant", "tenants", tenant_row),
    ("trunk", "trunks", trunk_row),
    ("range", "ranges", range_row),
)
HIDDEN = ("digest",)
"""Fields whose values are not shown."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of one row, before and after; a row that came or went has the field `id` alone."""

    kind: str
    id: str
    field: str
    before: str
    after: str


async def difference(connection: AsyncConnection, old: int, new: int = 0) -> list[Difference]:
    """What differs between two kept versions; `new` 0: the present. Raises VersionGone."""
    present = await sql.load_snapshot(connection)
    before = await snapshot_at(connection, present, old)
    after = await snapshot_at(connection, present, new) if new else present
    return compare(before, after)


def compare(before: Snapshot, after: Snapshot) -> list[Difference]:
    """Field by field, in the words of a registry file."""
    found: list[Difference] = []
    for kind, field, shown in _ROWS:
        old = {row.id: row for row in getattr(before, field)}
        new = {row.id: row for row in getattr(after, field)}
        for key in sorted(old.keys() | new.keys()):
            if old.get(key) == new.get(key):
                continue
            if key not in old or key not in new:
                found.append(Difference(kind, key, "id", key if key in old else "", key if key in new else ""))
                continue
            mine, theirs = shown(old[key]), shown(new[key])
            for name in sorted(mine.keys() | theirs.keys()):
                if mine.get(name) != theirs.get(name):
                    values = ("(hidden)", "(hidden)") if name in HIDDEN else (mine.get(name, ""), theirs.get(name, ""))
                    found.append(Difference(kind, key, name, *map(_text, values)))
    if before.plan != after.plan:
        found.append(Difference("plan", "", "rows", str(len(before.plan)), str(len(after.plan))))
    return found


async def rollback(
    connection: AsyncConnection,
    version: int,
    by: By,
    allow_shrink: bool = False,
    max_shrink: float = DEFAULT_SHARE,
) -> Changed:
    """Put operators, tenants, trunks, ranges and plan back as they were at a version, as a new version. Operators that
    came later stay, suspended, since consents may name them. Documents, restrictions, the rule pack, passwords and
    drained hops stay as they are. Opening anything by it needs a second person. Raises VersionGone, ImportRefused,
    Conflict (suspicious shrinkage), Unavailable."""
    record = await locked(connection)
    present = record.snapshot
    old = await snapshot_at(connection, present, version)
    kept = {row.id for row in old.operators}
    later = tuple(replace(row, state="suspended") for row in present.operators if row.id not in kept)
    wanted = replace(
        old,
        operators=tuple(sorted((*old.operators, *later), key=lambda row: row.id)),
        trunks=tuple(as_at_hand(present.trunks, [_without_secrets(row, present) for row in old.trunks])),
    )
    if wanted == present:
        return Changed(present.version, 0)
    refuse_invalid(validate(wanted), f"version {version}")
    refuse_shrinking(present, wanted, allow_shrink, max_shrink)
    found = openings(present, wanted)
    if found:
        require_second(by, "; ".join(one.words for one in found))
    change = Change(by.principal, "registry.rollback", str(version), by.reason, by.approver)
    made, rows = await put_in_force(connection, present, wanted, change)
    return Changed(made, rows)


def _without_secrets(row: Trunk, present: Snapshot) -> Trunk:
    """A password that was changed since stays changed; a trunk that is gone comes back with those it had."""
    if not any(one.id == row.id for one in present.trunks):
        return row
    return replace(row, digest=tuple(replace(one, secrets=()) for one in row.digest))


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
