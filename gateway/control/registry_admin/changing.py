"""What every change shares: the lock, the record, validation, the second person, and the commit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.control.importer.commit import Change, clock, put_in_force, refuse_barred
from gateway.control.importer.problems import MAX_PROBLEMS, ImportRefused, Problem
from gateway.control.record import record_of
from gateway.control.two_persons import By, require_papers, require_second
from gateway.registry.issues import Record
from gateway.registry.model import Snapshot
from gateway.registry.openings import openings
from gateway.registry.validate import validate
from gateway.store.sql import registry as sql
from gateway.store.sql.documents import load_documents
from gateway.store.sql.engine import mapped_errors

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Changed:
    """What a change did: the registry's version after it, and how many rows it changed (0: nothing was to be done)."""

    version: int
    rows: int


async def changing(engine: AsyncEngine, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """Run a change in a transaction of its own. Raises what `work` raises, Conflict, Unavailable."""
    with mapped_errors():
        async with engine.begin() as connection:
            return await work(connection)


async def locked(connection: AsyncConnection) -> Record:
    """Take the registry's lock until commit; the record as it is."""
    await sql.lock_registry(connection)
    snapshot = await sql.load_snapshot(connection)
    return record_of(snapshot, await load_documents(connection))


async def commit(
    connection: AsyncConnection, record: Record, wanted: Snapshot, action: str, subject: str, by: By
) -> Changed:
    """Validate what would result, ask for papers and a second person where it opens anything, and put it in force."""
    stored = record.snapshot
    if wanted == stored:
        return Changed(stored.version, 0)
    now = await clock(connection)
    refuse_barred(record, wanted, now)
    refuse_invalid(validate(wanted), subject)
    found = openings(stored, wanted)
    if found:
        require_second(by, "; ".join(one.words for one in found))
        require_papers(record_of(wanted, record.documents), found, now)
    change = Change(by.principal, action, subject, by.reason, by.approver)
    version, rows = await put_in_force(connection, stored, wanted, change)
    return Changed(version, rows)


def refuse_invalid(found: Sequence[str], subject: str) -> None:
    """Raises ImportRefused with `validate`'s problems."""
    problems = []
    for text in found[:MAX_PROBLEMS]:
        field, _, rest = text.partition(": ")
        value, _, fix = rest.partition(": ")
        problems.append(Problem(0, field, value, fix or "mend it"))
    if problems:
        raise ImportRefused(subject, problems)
