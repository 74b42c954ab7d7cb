"""Evidence in SQL: journal records shipped exactly once, partitioned by day.

The checkpoint of a journal is locked first and moves in the transaction that inserts its records, so a
batch that was sent twice, or by two shippers at once, is stored once. The journal's chain is checked on the
way in: what is stored follows on what was stored before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.journal.lines import chain_next
from gateway.store.ports import Conflict
from gateway.store.sql.engine import driver

COLUMNS = ("at", "journal", "seq", "kind", "id", "number", "party", "call_id", "record", "chain")
PARTITION_LOCK = 0x63676570
"""Advisory lock (`cgep`): two shippers do not make the same day's partition at once."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ShippedRow(NamedTuple):
    """One record of a journal."""

    seq: int
    """Its number in the journal, from 1."""
    payload: bytes
    """The line without tab and chain value."""
    chain: bytes
    """Chain value after it, 32 hex digits."""


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


class _Fields(msgspec.Struct):
    """What is read out of a record for the columns; the record itself is stored as it is."""

    kind: str = ""
    id: str = ""
    at: int = 0
    number: str = ""
    party: str = ""
    call_id: str = ""


_fields_decoder = msgspec.json.Decoder(_Fields)


async def load_checkpoint(connection: AsyncConnection, journal: str) -> Checkpoint | None:
    """Where shipping of `journal` stands; None: nothing shipped yet."""
    return await _checkpoint(connection, journal, "")


async def ship(connection: AsyncConnection, journal: str, rows: Sequence[ShippedRow], checkpoint: Checkpoint) -> int:
    """Store `rows` (in journal order) and move the checkpoint, in the caller's transaction; how many were
    stored.

    `checkpoint` is the state after the last row. Records up to the stored checkpoint are left out, and it
    never moves back. Raises Conflict, with nothing stored, where the rows do not follow on what is stored:
    a gap, a broken chain, or another journal under the same name."""
    await connection.execute(
        text(
            'INSERT INTO checkpoints (journal, segment, "offset", seq, chain) '
            "VALUES (:journal, 0, 0, 0, '') ON CONFLICT (journal) DO NOTHING"
        ),
        {"journal": journal},
    )
    stored = await _checkpoint(connection, journal, "FOR UPDATE") or Checkpoint(0, 0, 0, b"")
    fresh = _following(journal, rows, stored)
    if fresh:
        records = _records(journal, fresh)
        await _ensure_days(connection, {record[0].date() for record in records})
        await (await driver(connection)).copy_records_to_table("evidence", records=records, columns=COLUMNS)
    if (checkpoint.segment, checkpoint.offset) > (stored.segment, stored.offset):
        await connection.execute(
            text(
                'UPDATE checkpoints SET segment = :segment, "offset" = :offset, seq = :seq, chain = :chain, '
                "updated_at = now() WHERE journal = :journal"
            ),
            {
                "journal": journal,
                "segment": checkpoint.segment,
                "offset": checkpoint.offset,
                "seq": checkpoint.seq,
                "chain": checkpoint.chain.decode("ascii"),
            },
        )
    return len(fresh)


async def _checkpoint(connection: AsyncConnection, journal: str, lock: str) -> Checkpoint | None:
    row = (
        await connection.execute(
            text(f'SELECT segment, "offset", seq, chain FROM checkpoints WHERE journal = :journal {lock}'),
            {"journal": journal},
        )
    ).one_or_none()
    return None if row is None else Checkpoint(row[0], row[1], row[2], row[3].encode())


def _following(journal: str, rows: Sequence[ShippedRow], stored: Checkpoint) -> list[ShippedRow]:
    """The rows after the stored checkpoint, proven to follow on it."""
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
        if seq and (row.seq != seq + 1 or row.chain != chain_next(chain, row.payload)):
            raise Conflict(f"journal {journal}: record {row.seq} does not follow on record {seq}")
        seq, chain = row.seq, row.chain
        fresh.append(row)
    return fresh


def _records(journal: str, rows: Sequence[ShippedRow]) -> list[tuple[Any, ...]]:
    records: list[tuple[Any, ...]] = []
    at = 0
    for row in rows:
        try:
            fields = _fields_decoder.decode(row.payload)
        except msgspec.DecodeError:
            fields = _Fields()
        at = fields.at or at
        records.append(
            (
                _instant(at), journal, row.seq, fields.kind, fields.id.replace("\0", "\ufffd"),
                _text(fields.number), _hash(fields.party), _text(fields.call_id),
                row.payload.decode("utf-8"), row.chain.decode("ascii"),
            )
        )  # fmt: skip
    return records


def _instant(microseconds: int) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return _EPOCH


def _text(value: str) -> str | None:
    """For an index column: PostgreSQL text holds no NUL; empty is none."""
    return value.replace("\0", "\ufffd") or None


def _hash(value: str) -> bytes | None:
    try:
        return bytes.fromhex(value) or None
    except ValueError:
        return None


async def _ensure_days(connection: AsyncConnection, days: set[date]) -> None:
    """Make the partitions of `days` that are missing.

    Attached rather than created in place: ATTACH needs no lock against readers of the other days.
    """
    found = await connection.execute(
        text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'evidence'::regclass")
    )
    known = {row[0] for row in found}
    missing = sorted(day for day in days if partition_name(day) not in known)
    if not missing:
        return
    await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": PARTITION_LOCK})
    for day in missing:
        name = partition_name(day)
        exists = await connection.execute(text("SELECT to_regclass(:name)"), {"name": name})
        if exists.scalar_one() is not None:
            continue
        await connection.execute(text(f"CREATE TABLE {name} (LIKE evidence INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"))
        await connection.execute(
            text(
                f"ALTER TABLE evidence ATTACH PARTITION {name} "
                f"FOR VALUES FROM ('{day}T00:00:00Z') TO ('{day + timedelta(days=1)}T00:00:00Z')"
            )
        )


def partition_name(day: date) -> str:
    """`evidence_20260131`."""
    return f"evidence_{day:%Y%m%d}"
