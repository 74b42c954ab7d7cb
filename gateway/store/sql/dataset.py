"""The one row about the projected data set: its epoch, its bucket count, and whose key made the hashes."""

from __future__ import annotations

from dataclasses import dataclass

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


async def write_epoch(connection: AsyncConnection, epoch: int, buckets: int) -> None:
    """Record the epoch in force. Before the head in Redis is switched: a crash in between costs one more
    rebuild."""
    await connection.execute(
        text("UPDATE dataset SET epoch = :epoch, buckets = :buckets"), {"epoch": epoch, "buckets": buckets}
    )


async def claim_key(connection: AsyncConnection, key_check: bytes) -> None:
    """Bind the data set to the pseudonym key, or raise Conflict where it was made with another.

    With another key every hash would miss: no refusal would be found again, and nobody would notice.
    """
    row = await connection.execute(
        text("UPDATE dataset SET key_check = coalesce(key_check, :check) RETURNING key_check = :check"),
        {"check": key_check},
    )
    if not row.scalar_one():
        raise Conflict(
            "keys: the stored numbers were hashed with another pseudonym key: put back the key file they were made with"
        )
