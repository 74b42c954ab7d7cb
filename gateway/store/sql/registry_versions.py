"""Registry versions: what each change undid, so that any kept version can be told and put back.

A whole snapshot per change would cost a registry of a million ranges gigabytes; a version keeps the rows a change
replaced, as they were before. Version N is the present with the changes after N undone, newest first. Rule packs,
documents and restrictions have histories of their own, and are no part of it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.registry.model import NumberRange, Operator, PlanEntry, Snapshot, Trunk
from gateway.registry.standing import Tenant

KEPT = 1_000
"""Versions that can be gone back to."""


class Undo(msgspec.Struct, omit_defaults=True):
    """How to get from a version to the one before it."""

    operators: tuple[Operator, ...] = ()
    trunks: tuple[Trunk, ...] = ()
    ranges: tuple[NumberRange, ...] = ()
    tenants: tuple[Tenant, ...] = ()
    """Rows as they were."""
    new: dict[str, tuple[str, ...]] = {}
    """Table to ids of rows that were not there before."""
    plan: tuple[PlanEntry, ...] | None = None
    emergency: tuple[str, ...] = ()
    country: str = ""
    zone: str = ""
    """With `plan`, as they were."""


_decoder = msgspec.json.Decoder(Undo)


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One change of the registry."""

    version: int
    at: float
    principal: str
    action: str
    subject: str
    reason: str
    approver: str
    changed: int


class VersionGone(ValueError):
    """A version is not kept (any more); the text says which are."""


def undo_of(before: Snapshot, after: Snapshot) -> Undo:
    """What takes `after` back to `before`."""
    undo = Undo(new={})
    for table in ("operators", "trunks", "ranges", "tenants"):
        old = {row.id: row for row in getattr(before, table)}
        new = {row.id: row for row in getattr(after, table)}
        setattr(undo, table, tuple(row for key, row in old.items() if new.get(key) != row))
        added = tuple(key for key in new if key not in old)
        if added:
            undo.new[table] = added
    if (before.plan, before.emergency, before.country, before.zone) != (
        *(after.plan, after.emergency, after.country, after.zone),
    ):
        undo.plan, undo.emergency = before.plan, before.emergency
        undo.country, undo.zone = before.country, before.zone
    return undo


def undone(snapshot: Snapshot, undo: Undo) -> Snapshot:
    """The snapshot one version earlier; its number is the caller's to set."""
    changes: dict[str, object] = {}
    for table in ("operators", "trunks", "ranges", "tenants"):
        old = getattr(undo, table)
        gone = undo.new.get(table, ())
        if old or gone:
            rows = {row.id: row for row in getattr(snapshot, table) if row.id not in gone}
            rows |= {row.id: row for row in old}
            changes[table] = tuple(rows[key] for key in sorted(rows))
    if undo.plan is not None:
        changes |= {"plan": undo.plan, "emergency": undo.emergency, "country": undo.country, "zone": undo.zone}
    return replace(snapshot, **changes)  # type: ignore[arg-type]


async def keep(connection: AsyncConnection, row: VersionRow, undo: Undo) -> None:
    """Store a version's row in the change's transaction, and drop those beyond KEPT."""
    await connection.execute(
        text(
            "INSERT INTO registry_versions (version, principal, action, subject, reason, approver, changed, undo) "
            "VALUES (:version, :principal, :action, :subject, :reason, :approver, :changed, :undo)"
        ),
        {"version": row.version, "principal": row.principal, "action": row.action, "subject": row.subject,
         "reason": row.reason, "approver": row.approver, "changed": row.changed,
         "undo": zlib.compress(msgspec.json.encode(undo), 1)},
    )  # fmt: skip
    await connection.execute(
        text("DELETE FROM registry_versions WHERE version <= :oldest"), {"oldest": row.version - KEPT}
    )


async def keep_untouched(
    connection: AsyncConnection,
    version: int,
    principal: str,
    action: str,
    subject: str,
    reason: str = "",
    approver: str = "",
) -> None:
    """Store a version in which no row changed (a rule pack, a feed's age): versions have no gaps."""
    await keep(connection, VersionRow(version, 0.0, principal, action, subject, reason, approver, 0), Undo())


async def version_rows(connection: AsyncConnection, limit: int = 50) -> list[VersionRow]:
    """The newest changes first."""
    rows = await connection.execute(
        text(
            "SELECT version, extract(epoch FROM at)::float8, principal, action, subject, reason, approver, changed "
            "FROM registry_versions ORDER BY version DESC LIMIT :limit"
        ),
        {"limit": limit},
    )
    return [VersionRow(*row) for row in rows]


async def snapshot_at(connection: AsyncConnection, present: Snapshot, version: int) -> Snapshot:
    """The registry as it was at a version; pack, restrictions and version number stay the present's. VersionGone."""
    kept = await connection.execute(text("SELECT min(version) - 1 FROM registry_versions"))
    oldest = kept.scalar_one()
    if not (oldest is not None and oldest <= version <= present.version):
        first = present.version if oldest is None else oldest
        raise VersionGone(f"version {version}: kept are {first} to {present.version}: name one of these")
    rows = await connection.execute(
        text("SELECT version, undo FROM registry_versions WHERE version > :version ORDER BY version DESC"),
        {"version": version},
    )
    found, expected = present, present.version
    for number, packed in rows:
        if number != expected:
            break
        found = undone(found, _decoder.decode(zlib.decompress(packed)))
        expected -= 1
    if expected != version:
        raise VersionGone(f"version {version}: what version {expected} changed is not on file: name a later one")
    return found
