"""Evidence to ship into PostgreSQL: decisions, rows of a journal, batches."""

from __future__ import annotations

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.gate.records import DecisionRecord, Record
from gateway.store.journal.lines import GENESIS, chain_next
from gateway.store.sql.evidence import Checkpoint, ShippedRow, ship
from tests.support.database import ALICE, hash_of

DAY = 86_400_000_000
AT = 1_714_550_000_000_000
"""2024-05-01, in microseconds."""
JOURNAL = "node-1-0"


def decision(number: int, at: int = AT, call_id: str = "") -> DecisionRecord:
    return DecisionRecord(
        id=f"{number:032x}",
        at=at,
        node="node-1",
        trunk="cc-alpha",
        direction="outbound",
        verdict="allow",
        rule="allow",
        status=0,
        reason="",
        source="127.0.0.2:5060/UDP",
        call_id=call_id or f"call-{number}@x",
        from_tag="t",
        number="+8657112340001",
        party=hash_of(ALICE).hex(),
        party_mask="+86138****8000",
    )


def rows(*records: Record, seq: int = 1, chain: bytes = GENESIS) -> list[ShippedRow]:
    made = []
    for number, record in enumerate(records, seq):
        payload = msgspec.json.encode(record)
        chain = chain_next(chain, payload)
        made.append(ShippedRow(number, payload, chain))
    return made


def after(batch: list[ShippedRow]) -> Checkpoint:
    return Checkpoint(1, batch[-1].seq * 1_000, batch[-1].seq, batch[-1].chain)


async def send(engine: AsyncEngine, batch: list[ShippedRow], checkpoint: Checkpoint | None = None) -> int:
    async with engine.begin() as connection:
        return (await ship(connection, JOURNAL, batch, checkpoint or after(batch))).stored
