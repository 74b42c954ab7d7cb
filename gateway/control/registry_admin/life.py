"""Activation, suspension, and the life cycle of numbers (RULES A18, A21)."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, cast

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.control.importer.commit import clock
from gateway.control.importer.problems import ImportRefused, Problem
from gateway.control.registry_admin.changing import Changed, commit, locked
from gateway.control.registry_admin.rows import find_row, no_such, with_row
from gateway.control.two_persons import By
from gateway.registry.model import NumberRange, RangeState
from gateway.registry.validate_class import RANGE_STATES

Activated = Literal["operator", "tenant", "trunk"]

LATE_S = 300.0
"""A state may be set back by so much: the second it was decided at, not the one it was typed at."""


async def activate(connection: AsyncConnection, kind: Activated, subject: str, by: By) -> Changed:
    """Make an operator, a tenant or a trunk active: with all papers in order, a reason and a second person. Raises
    NotInOrder (naming all that is missing), SecondPersonNeeded, NoSuchRow, Unavailable."""
    return await _set(connection, kind, subject, "active", "activate", by)


async def suspend(connection: AsyncConnection, kind: Activated, subject: str, by: By) -> Changed:
    """Take one out of use at once, both directions: no new calls, dialogs go on. Raises NoSuchRow, Unavailable."""
    return await _set(connection, kind, subject, "suspended", "suspend", by)


async def _set(connection: AsyncConnection, kind: str, subject: str, state: str, verb: str, by: By) -> Changed:
    record = await locked(connection)
    row = find_row(record.snapshot, kind, subject)
    if row is None:
        raise no_such(record.snapshot, kind, subject)
    wanted = with_row(record.snapshot, kind, replace(row, state=state))
    return await commit(connection, record, wanted, f"{kind}.{verb}", subject, by)


async def set_range_state(
    connection: AsyncConnection, range_id: str, state: str, by: By, from_at: float = 0.0
) -> Changed:
    """Put a number range into a state from a time on (epoch seconds; 0: now). It may lie ahead: the state changes at
    that second on every worker, without anything being written then. Steps that lie behind the new one stay if they
    may follow it. Raises ImportRefused, NotInOrder, SecondPersonNeeded, NoSuchRow, Unavailable."""
    record = await locked(connection)
    row: NumberRange | None = find_row(record.snapshot, "range", range_id)
    if row is None:
        raise no_such(record.snapshot, "range", range_id)
    now = await clock(connection)
    if state not in RANGE_STATES:
        raise _refused("state", state, f"write one of {', '.join(RANGE_STATES)}")
    if from_at and from_at < now - LATE_S:
        raise _refused("from", str(from_at), "write a time that lies ahead, or leave it out: what was, was recorded")
    since = from_at or now
    if row.state_at(since) == state:
        return Changed(record.snapshot.version, 0)
    earlier = tuple(step for step in row.steps if step[0] < since)
    later = tuple(step for step in row.steps if step[0] > since) if state != "recalled" else ()
    steps = (*earlier, (since, cast(RangeState, state)), *later)
    wanted = with_row(record.snapshot, "range", replace(row, steps=steps))
    return await commit(connection, record, wanted, f"range.{state}", range_id, by)


def _refused(field: str, value: str, fix: str) -> ImportRefused:
    return ImportRefused("range state", [Problem(0, field, value, fix)])
