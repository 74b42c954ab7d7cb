"""The one row about the projected data set: its epoch, its bucket count, and whose key made the hashes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.ports import Conflict


@dataclass(frozen=True, slots=True)
class Dataset:
    """`epoch` 0: never projected."""

    epoch: int
    buckets: int
    outbox_floor: int
    key_check: bytes | None


async def read(connection: AsyncConnection) -> Dataset:
    """The row."""
    row = await connection.execute(text("SELECT epoch, buckets, outbox_floor, key_check FROM dataset"))
    return Dataset(*row.one())


@dataclass(frozen=True, slots=True)
class Look:
    """What the projector asks once a second, in one statement."""

    data: Dataset
    next_xid: int
    """Next transaction id to be given."""
    behind: bool
    """There are outbox rows after the watermark."""


async def look(raw: Any, xid: int, row_id: int) -> Look:
    """The row, and whether the outbox has anything after the watermark (xid, row_id). `raw`: the driver's
    connection."""
    *row, next_xid, behind = await raw.fetchrow(_LOOK, xid, row_id)
    return Look(Dataset(*row), next_xid, behind)


_LOOK = (
    "SELECT epoch, buckets, outbox_floor, key_check, pg_snapshot_xmax(pg_current_snapshot())::text::bigint, "
    "EXISTS (SELECT FROM outbox WHERE (xid, id) > ($1::bigint, $2::bigint)) FROM dataset"
)


async def next_epoch(connection: AsyncConnection, known: int) -> int:
    """Take a new epoch, above every one ever taken and above `known` (what Redis names). No two are ever alike.

    Recorded before anything is written under it: where the rebuild dies, Redis names another epoch, and that is seen.
    """
    row = await connection.execute(
        text("UPDATE dataset SET epoch = greatest(epoch, :known) + 1, buckets = 0 RETURNING epoch"),
        {"known": known},
    )
    return int(row.scalar_one())


async def write_buckets(connection: AsyncConnection, epoch: int, buckets: int) -> None:
    """Record the bucket count of an epoch that was built, if it is still the newest."""
    await connection.execute(
        text("UPDATE dataset SET buckets = :buckets WHERE epoch = :epoch"), {"epoch": epoch, "buckets": buckets}
    )


async def claim_key(connection: AsyncConnection, key_check: bytes) -> bytes:
    """The check of the pseudonym key the stored numbers are hashed with; where there are none yet, they are from now
    on hashed with `key_check`. Until commit nobody puts another key in force."""
    found = await connection.execute(text("SELECT key_check FROM dataset WHERE key_check IS NOT NULL FOR SHARE"))
    check = found.scalar_one_or_none()
    if check is None:
        found = await connection.execute(
            text("UPDATE dataset SET key_check = coalesce(key_check, :check) RETURNING key_check"),
            {"check": key_check},
        )
        check = found.scalar_one()
    return bytes(check)


async def exchange_key(connection: AsyncConnection, before: bytes, after: bytes) -> None:
    """The stored numbers are hashed with another key from commit on. Raises Conflict where they were not hashed with
    `before`."""
    row = await connection.execute(
        text("UPDATE dataset SET key_check = :after WHERE key_check = :before"), {"before": before, "after": after}
    )
    if row.rowcount != 1:
        raise Conflict("keys: the stored numbers are hashed with a third key: see callgate keys status")


async def lock(connection: AsyncConnection) -> None:
    """Until commit nobody reads which key is in force to store a number with it."""
    await connection.execute(text("SELECT FROM dataset FOR UPDATE"))
