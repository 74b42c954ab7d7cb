"""Evidence in SQL: journal records shipped exactly once, partitioned by day.

The checkpoint of a journal is locked first and moves in the transaction that inserts its records, so a
batch that was sent twice, or by two shippers at once, is stored once. The journal's chain is checked on the
way in: what is stored follows on what was stored before.

A record the database will not take (whatever the reason, as long as it is the record's) stops nothing: it is found by
halves and stored with the columns to search by empty, the record and its chain whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

from asyncpg import PostgresError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.journal.gaps import gap_follows
from gateway.store.journal.lines import chain_next
from gateway.store.ports import Conflict
from gateway.store.sql.engine import driver
from gateway.store.sql.errors import is_away, is_row_error
from gateway.store.sql.evidence_copy import copy_of
from gateway.store.sql.evidence_rows import EvidenceRow, ShippedRow, bare, evidence_rows

__all__ = ["Checkpoint", "Poisoned", "ProvenRows", "Shipped", "ShippedRow", "load_checkpoint", "partition_name", "ship"]

PARTITION_LOCK = 0x63676570
"""Advisory lock (`cgep`): two shippers do not make the same day's partition at once."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a journal is shipped: the place of the next line, and the last record."""

    segment: int
    offset: int
    """Byte offset of the next line to ship in `segment`."""
    seq: int
    """Number of the last shipped record, 0 before the first."""
    chain: bytes
    """Chain value after it, 32 hex digits."""


class ProvenRows(list[ShippedRow]):
    """Rows whose chain was checked as they were read: they need no second check where they go on from the record
    they were read on from."""

    __slots__ = ("after",)

    def __init__(self, rows: Iterable[ShippedRow], after: tuple[int, bytes]) -> None:
        """`after`: number and chain of the record before the first."""
        super().__init__(rows)
        self.after = after


class Poisoned(NamedTuple):
    """A record that was stored bare."""

    seq: int
    error: Exception
    """Why the database would not take it whole."""


class Shipped(NamedTuple):
    """What became of a batch."""

    stored: int
    poisoned: tuple[Poisoned, ...] = ()
    """Those of `stored` that cannot be searched for."""


async def load_checkpoint(connection: AsyncConnection, journal: str) -> Checkpoint | None:
    """Where shipping of `journal` stands; None: nothing shipped yet."""
    found = await connection.execute(
        text('SELECT segment, "offset", seq, chain FROM checkpoints WHERE journal = :journal'), {"journal": journal}
    )
    row = found.one_or_none()
    return None if row is None else Checkpoint(row[0], row[1], row[2], row[3].encode())


async def ship(
    connection: AsyncConnection, journal: str, rows: Sequence[ShippedRow], checkpoint: Checkpoint
) -> Shipped:
    """Store `rows` (in journal order) and move the checkpoint, in the caller's transaction.

    `checkpoint` is the state after the last row. Records up to the stored checkpoint are left out, and it
    never moves back. Raises Conflict, with nothing stored, where the rows do not follow on what is stored:
    a gap, a broken chain, or another journal under the same name. The driver's errors are not mapped here."""
    state = await connection.execute(_LOCK, {"journal": journal})  # SQLAlchemy begins the transaction with it
    found = state.one_or_none()
    raw = await driver(connection)
    if found is None:
        await raw.execute(_FIRST_CHECKPOINT, journal)
        found = (await connection.execute(_LOCK, {"journal": journal})).one()
    stored, partitions = Checkpoint(found[0], found[1], found[2], found[3].encode()), frozenset(found[4])
    fresh = _following(journal, rows, stored)
    poisoned = await _store_batch(connection, raw, journal, fresh, partitions) if fresh else ()
    if (checkpoint.segment, checkpoint.offset) > (stored.segment, stored.offset):
        chain = checkpoint.chain.decode("ascii")
        await raw.execute(_MOVE, journal, checkpoint.segment, checkpoint.offset, checkpoint.seq, chain)
    return Shipped(len(fresh), poisoned)


_LOCK = text(
    'SELECT segment, "offset", seq, chain, ARRAY(SELECT relname::text FROM pg_inherits JOIN pg_class '
    "ON pg_class.oid = inhrelid WHERE inhparent = 'evidence'::regclass ORDER BY relname DESC LIMIT 100) "
    "FROM checkpoints WHERE journal = :journal FOR UPDATE"
)
"""The checkpoint, and the newest partitions there are."""

_FIRST_CHECKPOINT = (
    'INSERT INTO checkpoints (journal, segment, "offset", seq, chain) VALUES ($1, 0, 0, 0, \'\') '
    "ON CONFLICT (journal) DO NOTHING"
)
_MOVE = (
    'UPDATE checkpoints SET segment = $2, "offset" = $3, seq = $4, chain = $5, updated_at = now() WHERE journal = $1'
)


def _following(journal: str, rows: Sequence[ShippedRow], stored: Checkpoint) -> Sequence[ShippedRow]:
    """The rows after the stored checkpoint, proven to follow on it."""
    if isinstance(rows, ProvenRows) and rows.after == (stored.seq, stored.chain):
        return rows
    fresh: list[ShippedRow] = []
    seq, chain = stored.seq, stored.chain
    for row in rows:
        if row.seq < seq:
            continue
        if row.seq == seq:
            if row.chain != chain:
                raise Conflict(f"journal {journal}: record {seq} is not the one shipped before: another journal?")
            continue
        # Nothing stored yet: a journal whose old segments are gone already may begin anywhere.
        follows = row.seq == seq + 1 and row.chain == chain_next(chain, row.payload)
        # Records that cannot be read any more were set aside: the gap stands for them.
        if seq and not follows and not gap_follows(seq, chain, *row):
            raise Conflict(f"journal {journal}: record {row.seq} does not follow on record {seq}")
        seq, chain = row.seq, row.chain
        fresh.append(row)
    return fresh


async def _store_batch(
    connection: AsyncConnection, raw: Any, journal: str, rows: Sequence[ShippedRow], partitions: frozenset[str]
) -> tuple[Poisoned, ...]:
    """The whole batch at once; row by row, as `_store` does, where the database will not take it so. `partitions`:
    those known to be there."""
    batch = copy_of(journal, rows)
    await _ensure_days(raw, batch.days, partitions)
    await raw.execute("SAVEPOINT whole_batch")  # the commit releases it
    try:
        await raw.copy_to_table("evidence", source=_once(batch.data), columns=EvidenceRow._fields, format="binary")
    except (PostgresError, ValueError, ArithmeticError) as error:
        if is_away(error) or not is_row_error(error):
            raise
        await raw.execute("ROLLBACK TO SAVEPOINT whole_batch")
        return await _store(connection, evidence_rows(journal, rows))
    return ()


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _store(connection: AsyncConnection, rows: list[EvidenceRow]) -> tuple[Poisoned, ...]:
    """Copy `rows`; those that are refused are found by halves and stored bare. Raises the driver's error where the
    database is away or in no state to write, or does not take a row even bare."""
    await _ensure_days(await driver(connection), {row.at.date() for row in rows})
    poisoned: list[Poisoned] = []
    waiting = [rows]
    while waiting:
        batch = waiting.pop()
        try:
            # A savepoint: the checkpoint stays locked, and what was copied before stays.
            async with connection.begin_nested():
                await _copy(connection, batch)
            continue
        except (PostgresError, DBAPIError, ValueError, ArithmeticError) as error:
            if is_away(error) or not is_row_error(error):
                raise
            refused = error
        if len(batch) > 1:
            middle = len(batch) // 2
            waiting += (batch[middle:], batch[:middle])
        else:
            async with connection.begin_nested():
                await _copy(connection, [bare(batch[0])])
            poisoned.append(Poisoned(batch[0].seq, refused))
    return tuple(poisoned)


async def _copy(connection: AsyncConnection, rows: list[EvidenceRow]) -> None:
    raw = await driver(connection)
    await raw.copy_records_to_table("evidence", records=rows, columns=EvidenceRow._fields)


async def _ensure_days(raw: Any, days: set[date], known: frozenset[str] = frozenset()) -> None:
    """Make the partitions of `days` that are missing. `raw`: the driver's connection, in the transaction; `known`: what
    it has already said is there.

    Attached rather than created in place: ATTACH needs no lock against readers of the other days.
    """
    names = {name: day for day in sorted(days) if (name := partition_name(day)) not in known}
    if not names or not await raw.fetch(_MISSING, list(names)):
        return
    await raw.execute("SELECT pg_advisory_xact_lock($1)", PARTITION_LOCK)
    for name in [row[0] for row in await raw.fetch(_MISSING, list(names))]:
        day = names[name]
        await raw.execute(f"CREATE TABLE {name} (LIKE evidence INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
        await raw.execute(
            f"ALTER TABLE evidence ATTACH PARTITION {name} "
            f"FOR VALUES FROM ('{day}T00:00:00Z') TO ('{day + timedelta(days=1)}T00:00:00Z')"
        )


# Not to_regclass, whose cache may be older than the lock.
_MISSING = (
    "SELECT name FROM unnest($1::text[]) AS name WHERE NOT EXISTS (SELECT FROM pg_inherits "
    "JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = 'evidence'::regclass AND relname = name)"
)


def partition_name(day: date) -> str:
    """`evidence_20260131`."""
    return f"evidence_{day:%Y%m%d}"
