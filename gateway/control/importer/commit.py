"""The one way a registry change takes effect: rows, version, outbox and audit, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from asyncpg import ExclusionViolationError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.control.importer.problems import MAX_PROBLEMS
from gateway.registry.issues import Record
from gateway.registry.model import Snapshot
from gateway.registry.paper_findings import NO_NEW_NUMBERS, NO_NEW_TRUNKS, barred_from
from gateway.registry.shrink import suspicious
from gateway.registry.validate_class import NO_SYSTEM
from gateway.store.ports import Conflict
from gateway.store.sql import audit, outbox
from gateway.store.sql import registry as sql
from gateway.store.sql import registry_versions as versions


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


R = TypeVar("R", bound=_HasId)


@dataclass(frozen=True, slots=True)
class Change:
    """Who changes what, and why. `approver`: the second person, where one is needed."""

    principal: str
    action: str
    subject: str
    reason: str = ""
    approver: str = ""
    detail: Mapping[str, object] = field(default_factory=dict)


async def put_in_force(
    connection: AsyncConnection,
    stored: Snapshot,
    wanted: Snapshot,
    change: Change,
    titles: Mapping[str, str] | None = None,
    also: int = 0,
) -> tuple[int, int]:
    """Write what differs between two snapshots (the second validated before), under the registry lock. `titles`:
    purposes to write; `also`: further rows that changed. The new version and how many rows changed in all.

    Raises Conflict where ranges overlap."""
    wanted = replace(wanted, version=stored.version + 1)
    titles = titles or {}
    operators = changed_rows(stored.operators, wanted.operators)
    tenants = changed_rows(stored.tenants, wanted.tenants)
    trunks = changed_rows(stored.trunks, wanted.trunks)
    ranges = changed_rows(stored.ranges, wanted.ranges)
    gone = {
        "number_ranges": _gone(stored.ranges, wanted.ranges),
        "trunks": _gone(stored.trunks, wanted.trunks),
        "tenants": _gone(stored.tenants, wanted.tenants),
    }
    await sql.upsert_operators(connection, operators)
    await sql.upsert_tenants(connection, tenants)
    await sql.upsert_purposes(connection, [(key, wanted.purposes[key], titles[key]) for key in titles])
    await sql.upsert_trunks(connection, trunks)
    await sql.save_state(connection, wanted)
    await sql.delete_rows(connection, "number_ranges", gone["number_ranges"])
    try:
        await sql.replace_ranges(connection, ranges)
    except ExclusionViolationError as error:
        raise Conflict(f"range: {error.detail}: two ranges overlap") from error
    await sql.delete_rows(connection, "trunks", gone["trunks"])
    await sql.delete_rows(connection, "tenants", gone["tenants"])
    rows = len(operators) + len(tenants) + len(trunks) + len(ranges) + len(titles) + sum(map(len, gone.values()))
    count = rows + also + _plan_differs(stored, wanted)
    said = versions.VersionRow(
        wanted.version, 0.0, change.principal, change.action, change.subject, change.reason, change.approver, count
    )
    await versions.keep(connection, said, versions.undo_of(stored, wanted))
    await outbox.announce(connection, outbox.REGISTRY)
    detail: dict[str, object] = {"version": wanted.version, "changed": count, **change.detail}
    for name, ids in (
        ("operators", [row.id for row in operators]),
        ("tenants", [row.id for row in tenants]),
        ("trunks", [row.id for row in trunks]),
        ("ranges", [row.id for row in ranges]),
        ("purposes", list(titles)),
        *((f"removed_{table}", list(ids)) for table, ids in gone.items()),
        *((name, value) for name, value in (("reason", change.reason), ("approver", change.approver))),
    ):
        if ids:
            detail[name] = ids[:MAX_PROBLEMS] if isinstance(ids, list) else ids
    await audit.record(connection, change.principal, change.action, change.subject, detail)
    return wanted.version, count


def refuse_shrinking(stored: Snapshot, wanted: Snapshot, allowed: bool, share: float) -> None:
    """Raises Conflict for a change that loses suspiciously much."""
    found = [] if allowed else suspicious(stored, wanted, share)
    if found:
        raise Conflict(f"registry: the change {'; it '.join(found)}: if that is meant, say --allow-shrink")


def refuse_barred(record: Record, wanted: Snapshot, now: float) -> None:
    """Raises Conflict where somebody who may not gets new numbers or trunks (RULES A20, A47, A48, B15), naming every
    reason."""
    found: list[str] = []
    classes = {row.id: row.operator_class for row in wanted.operators}
    for what, before, after, categories in (
        ("number range", record.snapshot.ranges, wanted.ranges, NO_NEW_NUMBERS),
        ("trunk", record.snapshot.trunks, wanted.trunks, NO_NEW_TRUNKS),
    ):
        there = {(row.id, row.operator) for row in before}
        gaining = {row.operator for row in after if row.operator and (row.id, row.operator) not in there}
        for operator in sorted(gaining):
            if clause := NO_SYSTEM.get(classes.get(operator, "")):
                found.append(f"{clause}: operator {operator} is of class {classes[operator]}: it may own no {what}")
            found += barred_from(replace(record, snapshot=wanted), operator, categories, now)
    if found:
        raise Conflict("; ".join(dict.fromkeys(found)))


async def clock(connection: AsyncConnection) -> float:
    """The database's time, epoch seconds: the one clock all nodes share."""
    row = await connection.execute(text("SELECT extract(epoch FROM now())::float8"))
    return float(row.scalar_one())


def changed_rows(stored: Sequence[R], wanted: Sequence[R]) -> list[R]:
    """Rows that are new or differ."""
    before = {row.id: row for row in stored}
    return [row for row in wanted if before.get(row.id) != row]


def _gone(stored: Sequence[R], wanted: Sequence[R]) -> list[str]:
    left = {row.id for row in wanted}
    return [row.id for row in stored if row.id not in left]


def _plan_differs(stored: Snapshot, wanted: Snapshot) -> bool:
    before = (stored.plan, stored.emergency, stored.country, stored.zone)
    return before != (wanted.plan, wanted.emergency, wanted.country, wanted.zone)
