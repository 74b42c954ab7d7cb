"""What is stored with a key: rows sealed with it, imports hashed with it, evidence of its time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.sql.rotation import SEALED


@dataclass(frozen=True, slots=True)
class EvidenceUse:
    """Decisions of a time: how many, and when the first and the last were made."""

    count: int
    first: datetime | None
    last: datetime | None


async def evidence_between(
    connection: AsyncConnection, since: datetime | None, until: datetime | None, *, with_party: bool
) -> EvidenceUse:
    """Decisions on record from a time (None: the first) up to one (None: now). `with_party`: of which a number was
    read."""
    conditions = ["kind = 'decision'", *(["party IS NOT NULL"] if with_party else [])]
    conditions += [f"at {sign} :{name}" for sign, name, at in ((">=", "since", since), ("<", "until", until)) if at]
    values = {name: at for name, at in (("since", since), ("until", until)) if at}
    row = await connection.execute(
        text(f"SELECT count(*), min(at), max(at) FROM evidence WHERE {' AND '.join(conditions)}"), values
    )
    return EvidenceUse(*row.one())


async def sealed_with(connection: AsyncConnection, seal: int) -> dict[str, int]:
    """Rows sealed with a key, by table; only where there are any."""
    found: dict[str, int] = {}
    for table in SEALED:
        row = await connection.execute(
            text(f"SELECT count(*) FROM {table} WHERE get_byte(decode(left(callee_sealed, 4), 'base64'), 1) = :seal"),
            {"seal": seal},
        )
        count = int(row.scalar_one())
        if count:
            found[table] = count
    return found


async def staged_with(connection: AsyncConnection, check: bytes) -> Sequence[str]:
    """Names of unfinished imports whose rows are hashed with a key."""
    rows = await connection.execute(
        text("SELECT name FROM imports WHERE state = 'staging' AND key_check = :check"), {"check": check}
    )
    return rows.scalars().all()
