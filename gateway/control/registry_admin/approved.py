"""What an approval executes: changes that two principals agree on (`control.approvals`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.control.registry_admin.changing import Changed
from gateway.control.registry_admin.life import Activated, activate, set_range_state
from gateway.control.registry_admin.restrict import NoSuchRestriction, lift
from gateway.control.registry_admin.rows import NoSuchRow, put_row
from gateway.control.registry_admin.versions import rollback
from gateway.control.two_persons import By
from gateway.store.ports import Conflict
from gateway.store.sql.approvals import Approval
from gateway.store.sql.registry_versions import VersionGone


def _by(approval: Approval) -> By:
    return By(approval.requested_by, approval.reason, approval.decided_by)


def _made(done: Changed) -> Mapping[str, object]:
    return {"version": done.version, "rows": done.rows}


async def open_outbound(connection: AsyncConnection, approval: Approval) -> Mapping[str, object]:
    """Let a number range be presented. Raises Conflict where it is gone or its papers are not in order, ImportRefused
    where the registry would not be consistent."""
    return await _put(connection, "range", approval, {"outbound": True})


async def open_trunk(connection: AsyncConnection, approval: Approval) -> Mapping[str, object]:
    """Let calls come from a trunk. Raises as `open_outbound`."""
    return await _put(connection, "trunk", approval, {"outbound": True})


async def _put(
    connection: AsyncConnection, kind: str, approval: Approval, changes: Mapping[str, object]
) -> Mapping[str, object]:
    try:
        return _made(await put_row(connection, kind, approval.subject, changes, _by(approval), new=False))
    except NoSuchRow as error:
        raise Conflict(str(error)) from None


async def put(connection: AsyncConnection, approval: Approval) -> Mapping[str, object]:
    """Make or change a row (`payload.kind`, `payload.id`, `payload.changes`). Raises as `open_outbound`."""
    asked = approval.payload
    return _made(await put_row(connection, asked["kind"], asked["id"], asked["changes"], _by(approval)))


async def activated(connection: AsyncConnection, approval: Approval) -> Mapping[str, object]:
    """Make an operator, a tenant or a trunk (`payload.kind`) active. Raises as `open_outbound`."""
    kind = cast(Activated, approval.payload["kind"])
    try:
        return _made(await activate(connection, kind, approval.subject, _by(approval)))
    except NoSuchRow as error:
        raise Conflict(str(error)) from None


async def enabled(connection: AsyncConnection, approval: Approval) -> Mapping[str, object]:
    """Enable a number range from `payload.from` (epoch seconds, 0: now). Raises as `open_outbound`."""
    at = float(str(approval.payload.get("from", 0.0)))
    try:
        return _made(await set_range_state(connection, approval.subject, "enabled", _by(approval), at))
    except NoSuchRow as error:
        raise Conflict(str(error)) from None


async def lifted(connection: AsyncConnection, approval: Approval) -> Mapping[str, object]:
    """Lift a restriction. Raises Conflict where it has ended."""
    try:
        return _made(await lift(connection, int(approval.subject), _by(approval)))
    except NoSuchRestriction as error:
        raise Conflict(str(error)) from None


async def rolled_back(connection: AsyncConnection, approval: Approval) -> Mapping[str, object]:
    """Put a registry version back. Raises Conflict, ImportRefused."""
    shrink = bool(approval.payload.get("allow_shrink"))
    try:
        return _made(await rollback(connection, int(approval.subject), _by(approval), shrink))
    except VersionGone as error:
        raise Conflict(str(error)) from None
