"""A few calls of both operators in the evidence, for tests that look for them."""

from __future__ import annotations

import time
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.gate.records import DecisionRecord
from gateway.gate.seal import Sealer
from gateway.store.journal.lines import GENESIS, chain_next
from gateway.store.sql.evidence import Checkpoint, ShippedRow, ship
from policies.facts import INBOUND, OUTBOUND, Facts
from tests.support.database import ALICE, KEYS, hash_of

CALLS: Final = (
    # id, trunk, its operator, direction, number, whose it is
    ("e", "carrier", "", INBOUND, "+8657156780001", "beta"),
    ("a", "cc-alpha", "alpha", OUTBOUND, "+8657112340001", "alpha"),
    ("b", "cc-beta", "beta", OUTBOUND, "+8657156780001", "beta"),
    ("c", "carrier", "", INBOUND, "+8657112340002", "alpha"),
    ("d", "cc-alpha", "alpha", OUTBOUND, "+8657156780002", "beta"),  # refused: number-foreign
)
"""Oldest first, a second apart, the last one now. The subscriber is ALICE in each."""


async def ship_calls(engine: AsyncEngine) -> None:
    """Store them as the shipper does."""
    sealer = Sealer(KEYS.seal_id, KEYS.seal)
    now, rows, chain = int(time.time() * 1e6), list[ShippedRow](), GENESIS
    for seq, (letter, trunk, trunk_operator, direction, number, owner) in enumerate(CALLS, 1):
        at = now - (len(CALLS) - seq) * 1_000_000
        record = DecisionRecord(
            id=letter * 32, at=at, node="n", trunk=trunk, direction=direction, verdict="allow", rule="allow", status=0,
            reason="", source="127.0.0.2:5060/UDP", call_id=f"{letter}@x", from_tag="t", operator=owner, number=number,
            party=hash_of(ALICE).hex(), party_mask="+86138****8000",
            facts=Facts(direction, at / 1e6, trunk, trunk_operator, range_operator=owner),
            sealed=sealer.seal({"subscriber": ALICE}),
        )  # fmt: skip
        payload = msgspec.json.encode(record)
        chain = chain_next(chain, payload)
        rows.append(ShippedRow(seq, payload, chain))
    async with engine.begin() as connection:
        await ship(connection, "n-0", rows, Checkpoint(1, 1_000, len(rows), chain))
