"""Puts or changes one operator, tenant, trunk or number range: fields as in a registry file, the rest stays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.control.importer import registry_rows as rows
from gateway.control.importer import registry_tables as tables
from gateway.control.importer.problems import Problems
from gateway.control.importer.registry import as_at_hand, next_number
from gateway.control.importer.toml_lines import TomlLines
from gateway.control.importer.toml_table import Table
from gateway.control.registry_admin.changing import Changed, commit, locked
from gateway.control.two_persons import By
from gateway.registry.model import Snapshot

STATEFUL: Final = ("operator", "tenant", "trunk")
"""New ones begin suspended: activation looks at their papers."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How rows of a kind are written and read."""

    field: str
    """Of `Snapshot`."""
    row: Callable[[Any], dict[str, object]]
    read: Callable[[Table], Any]


KINDS: Final[dict[str, Kind]] = {
    "operator": Kind("operators", rows.operator_row, tables.read_operator),
    "tenant": Kind("tenants", rows.tenant_row, tables.read_tenant),
    "trunk": Kind("trunks", rows.trunk_row, tables.read_trunk),
    "range": Kind("ranges", rows.range_row, tables.read_range),
}


class NoSuchRow(ValueError):
    """There is no row of this id; the text names some there are."""


async def put_row(
    connection: AsyncConnection, kind: str, row_id: str, changes: Mapping[str, object], by: By, new: bool | None = None
) -> Changed:
    """Change fields of a row, or make one. A value of None takes a field back to its default. `new`: True and False
    insist on a row that is not, or is, there. Raises NoSuchRow, ImportRefused, Conflict, Unavailable."""
    record = await locked(connection)
    stored = record.snapshot
    known = find_row(stored, kind, row_id)
    if known is None and new is False:
        raise no_such(stored, kind, row_id)
    problems = Problems(f"{kind} {row_id}")
    if known is not None and new:
        problems.add(0, "id", row_id, "is there already: choose another, or change that one")
    if changes.get("id", row_id) != row_id:
        problems.add(0, "id", changes["id"], f"an id is never changed: write {row_id}, or leave it out")
    made = _read(kind, row_id, known, changes, problems)
    problems.check()
    wanted = with_row(stored, kind, made)
    return await commit(connection, record, wanted, f"{kind}.{'put' if known is None else 'patch'}", row_id, by)


def find_row(snapshot: Snapshot, kind: str, row_id: str) -> Any:
    """A row by id; None where there is none."""
    return next((row for row in getattr(snapshot, KINDS[kind].field) if row.id == row_id), None)


def no_such(snapshot: Snapshot, kind: str, row_id: str) -> NoSuchRow:
    """To be raised."""
    there = ", ".join(row.id for row in getattr(snapshot, KINDS[kind].field)[:8]) or "none yet"
    return NoSuchRow(f"{kind}: {row_id!r}: there is none of this id ({there})")


def with_row(snapshot: Snapshot, kind: str, row: Any) -> Snapshot:
    """The snapshot with a row put in, or in another's place."""
    field = KINDS[kind].field
    there: Sequence[Any] = getattr(snapshot, field)
    if kind == "operator":
        known = find_row(snapshot, kind, row.id)
        row = replace(row, number=known.number if known else next_number(one.number for one in there))
    if kind == "trunk":
        row = as_at_hand(snapshot.trunks, [row])[0]
    merged = {one.id: one for one in there} | {row.id: row}
    changed: dict[str, Any] = {field: tuple(merged[key] for key in sorted(merged))}
    return replace(snapshot, **changed)


def _read(kind: str, row_id: str, known: Any, changes: Mapping[str, object], problems: Problems) -> Any:
    content: dict[str, object] = KINDS[kind].row(known) if known is not None else {}
    if known is None and kind in STATEFUL:
        content["state"] = "suspended"
    content |= changes
    content = {"id": row_id} | {key: value for key, value in content.items() if value is not None}
    if kind == "trunk":
        content.setdefault("sources", [])
    table = Table(_as_lists(content), kind, 0, TomlLines(""), problems)
    made = KINDS[kind].read(table)
    table.done({}, row_id)
    return made


def _as_lists(content: Mapping[str, object]) -> dict[str, object]:
    """Tuples as TOML has them: lists."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in content.items()}
