"""Two-person approval: some changes are asked for by one principal and made when another allows them.

A kind of change is one entry of KINDS: an id, a title, and `execute`, which makes the change on the connection it is
given, in the transaction that records the approval: both happen or neither. To add one, write
`async def execute(connection, approval) -> Mapping` (what it returns goes into the audit row; `approval.payload` has
its values; it raises ImportRefused or Conflict where the change is no longer possible, and the approval stays pending),
enter it in KINDS, and let the route that would make the change call `request` instead and answer 202. `request` makes
the change on trial and takes it back, so that whoever asks is told what is missing, and not whoever is to approve.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.control import asked_import
from gateway.control.registry_admin import approved
from gateway.store.ports import Conflict
from gateway.store.sql import approvals, audit
from gateway.store.sql.approvals import APPROVED, PENDING, REJECTED, Approval
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.persons import same_person

WAIT_HOURS: Final = 72.0
"""A request nobody decided for so long has expired: what it was made for may have changed."""

SOMEBODY: Final = "(the second person)"
"""Who approves on trial."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A change that needs two."""

    title: str
    execute: Callable[[AsyncConnection, Approval], Awaitable[Mapping[str, object]]]


KINDS: Final[dict[str, Kind]] = {
    "range.open-outbound": Kind("Let a number range be used for outbound calls", approved.open_outbound),
    "range.enable": Kind("Enable a number range", approved.enabled),
    "trunk.open-outbound": Kind("Let outbound calls come from a trunk", approved.open_trunk),
    "registry.activate": Kind("Make an operator, a tenant or a trunk active", approved.activated),
    "registry.import": Kind("Import a registry file that opens more than there is", asked_import.imported),
    "registry.put": Kind("Change a row so that it opens more than before", approved.put),
    "registry.rollback": Kind("Put back a registry version that opens more than there is", approved.rolled_back),
    "restriction.lift": Kind("Lift a restriction", approved.lifted),
}


class NoSuchApproval(ValueError):
    """There is none of this id, or not for this operator."""


class SamePerson(Conflict):
    """Whoever asked, or shares a hand with him, may not approve."""


async def request(
    engine: AsyncEngine,
    kind: str,
    subject: str,
    payload: Mapping[str, object],
    reason: str,
    principal: str,
    *,
    operator: str = "",
    hours: float = WAIT_HOURS,
) -> Approval:
    """Ask for a change. `operator`: whose data it changes, if one's. Raises Conflict where the same is asked for
    already, where papers are missing for it or where it would change nothing, ImportRefused, Unavailable."""
    with mapped_errors():
        async with engine.begin() as connection:
            known = await approvals.pending_on(connection, kind, subject)
            if known is not None:
                raise Conflict(f"{kind} of {subject} waits for approval already: number {known.id}")
            made = await approvals.add(connection, kind, subject, payload, reason, operator, principal, hours)
            trial = await connection.begin_nested()
            outcome = await KINDS[kind].execute(connection, replace(made, decided_by=SOMEBODY))
            await trial.rollback()
            if not outcome["rows"]:
                raise Conflict(f"{kind} of {subject}: it is so already")
            detail = {"id": made.id, "payload": made.told, "reason": reason}
            await audit.record(connection, principal, f"approval.request.{kind}", subject, detail)
            return made


async def approve(engine: AsyncEngine, approval_id: int, principal: str, note: str = "") -> Approval:
    """Allow it and make the change, in one transaction. Raises NoSuchApproval, SamePerson, Conflict (decided, expired,
    or no longer possible), ImportRefused, Unavailable."""
    with mapped_errors():
        async with engine.begin() as connection:
            asked = await _pending(connection, approval_id)
            kind = KINDS.get(asked.kind)
            if kind is None:
                raise Conflict(f"approval {approval_id}: this version knows no {asked.kind}")
            other = asked.requested_by
            if why := await same_person(connection, other, principal):
                raise SamePerson(
                    f"approval {approval_id}: asked for by {other}: {why}, so you count as one person; somebody else "
                    "has to approve it"
                )
            done = await approvals.decide(connection, approval_id, APPROVED, principal, note)
            detail = {"id": approval_id, "requested_by": other, "note": note}
            made = await kind.execute(connection, done)
            await audit.record(
                connection, principal, f"approval.approve.{asked.kind}", asked.subject, {**detail, **made}
            )
            return done


async def reject(engine: AsyncEngine, approval_id: int, principal: str, note: str = "") -> Approval:
    """Turn it down; whoever asked may take it back so. Raises NoSuchApproval, Conflict, Unavailable."""
    with mapped_errors():
        async with engine.begin() as connection:
            asked = await _pending(connection, approval_id)
            done = await approvals.decide(connection, approval_id, REJECTED, principal, note)
            detail = {"id": approval_id, "requested_by": asked.requested_by, "note": note}
            await audit.record(connection, principal, f"approval.reject.{asked.kind}", asked.subject, detail)
            return done


async def find_approval(engine: AsyncEngine, approval_id: int) -> Approval:
    """One, with all of its payload. Raises NoSuchApproval, Unavailable."""
    with mapped_errors():
        async with engine.connect() as connection:
            found = await approvals.find(connection, before=approval_id + 1, limit=1)
    if not found or found[0].id != approval_id:
        raise NoSuchApproval(f"approval {approval_id}: there is none of this number")
    return found[0]


async def find_approvals(
    engine: AsyncEngine,
    *,
    state: str | None = None,
    operator: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[Approval]:
    """Newest first. `state`: one of store.sql.approvals.STATES. Raises Unavailable."""
    with mapped_errors():
        async with engine.connect() as connection:
            return await approvals.find(connection, state=state, operator=operator, before=before, limit=limit)


async def _pending(connection: AsyncConnection, approval_id: int) -> Approval:
    found = await approvals.lock(connection, approval_id)
    if found is None:
        raise NoSuchApproval(f"approval {approval_id}: there is none of this number")
    if found.state != PENDING:
        by = f" by {found.decided_by}" if found.decided_by else ""
        raise Conflict(f"approval {approval_id}: {found.state} already{by}")
    return found
