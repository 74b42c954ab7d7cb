"""Limits outbound access of a number, a trunk or an operator, and lifts that again (RULES A32)."""

from __future__ import annotations

from typing import cast

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.control.importer.commit import Change, clock, put_in_force
from gateway.control.importer.problems import Problems
from gateway.control.importer.values import canonical_number
from gateway.control.registry_admin.changing import Changed, locked
from gateway.control.two_persons import By, require_second
from gateway.registry.model import Snapshot
from gateway.registry.numbering import NumberingPlan
from gateway.registry.standing import RESTRICTED_KINDS, SubjectKind
from gateway.store.sql import audit, restrictions
from gateway.store.sql import registry as sql

MAX_REASON = 512


class NoSuchRestriction(ValueError):
    """None of this number is in force or to come."""


async def restrict(
    connection: AsyncConnection, kind: str, subject: str, by: By, from_at: float = 0.0, to_at: float = 0.0
) -> tuple[int, Changed]:
    """Refuse outbound calls of a subject in [from_at, to_at) (epoch seconds; 0: from now, until it is lifted). Its id.
    Restricting needs no second person: it must be quick. Raises ImportRefused, Unavailable."""
    record = await locked(connection)
    problems = Problems("restriction")
    now = await clock(connection)
    _check_subject(record.snapshot, kind, subject, problems)
    if not 3 <= len(by.reason) <= MAX_REASON or not by.reason.isprintable():
        problems.add(0, "reason", by.reason, f"say why, in 3-{MAX_REASON} printable characters")
    if to_at and to_at <= max(now, from_at):
        problems.add(0, "to", str(to_at), "write a time that lies ahead and after `from`, or leave it out")
    problems.check()
    made = await restrictions.add_restriction(
        connection, cast(SubjectKind, kind), subject, by.reason, from_at, to_at, by.principal
    )
    detail = {"id": made, "kind": kind, "from": from_at or now, "to": to_at}
    change = Change(by.principal, "restriction.add", subject, by.reason, detail=detail)
    version, rows = await put_in_force(connection, record.snapshot, record.snapshot, change, also=1)
    return made, Changed(version, rows)


async def lift(connection: AsyncConnection, row_id: int, by: By) -> Changed:
    """End a restriction now. Raises SecondPersonNeeded, NoSuchRestriction, Unavailable."""
    require_second(by, f"restriction {row_id} is lifted")
    await sql.lock_registry(connection)
    snapshot = await sql.load_snapshot(connection)
    if not await restrictions.lift_restriction(connection, row_id, by.reason, by.principal, by.approver):
        raise NoSuchRestriction(f"restriction: {row_id}: none of this number is in force: list them first")
    change = Change(by.principal, "restriction.lift", str(row_id), by.reason, by.approver)
    version, rows = await put_in_force(connection, snapshot, snapshot, change, also=1)
    return Changed(version, rows)


async def say_of(connection: AsyncConnection, row_id: int, what: restrictions.Said, by: By) -> None:
    """Record that whom a restriction concerns was told of it (`notice`), or what they say against it (`appeal`):
    `by.reason`. It stays as it is: lifting is another person's decision. Raises NoSuchRestriction."""
    problems = Problems("restriction")
    if not 3 <= len(by.reason) <= MAX_REASON or not by.reason.isprintable():
        problems.add(0, what, by.reason, f"write what was said, in 3-{MAX_REASON} printable characters")
    problems.check()
    if not await restrictions.say_of_restriction(connection, row_id, what, by.reason):
        raise NoSuchRestriction(f"restriction: {row_id}: there is none of this number: list them first")
    await audit.record(connection, by.principal, f"restriction.{what}", str(row_id), {what: by.reason})


def _check_subject(snapshot: Snapshot, kind: str, subject: str, problems: Problems) -> None:
    if kind == "number":
        plan = NumberingPlan(snapshot.plan, snapshot.emergency, snapshot.country, snapshot.zone)
        _, fix = canonical_number(plan, subject)
        if fix:
            problems.add(0, "subject", subject, fix)
    elif kind in RESTRICTED_KINDS:
        rows = snapshot.operators if kind == "operator" else snapshot.trunks
        if not any(row.id == subject for row in rows):
            there = ", ".join(row.id for row in rows[:8]) or "none yet"
            problems.add(0, "subject", subject, f"name one there is ({there})")
    else:
        problems.add(0, "kind", kind, f"write one of {', '.join(RESTRICTED_KINDS)}")
