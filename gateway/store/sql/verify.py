"""Proof that stored evidence is whole: every journal's chain computed again from its records."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.store.journal.gaps import gap_follows, read_gap
from gateway.store.journal.lines import GENESIS, chain_next
from gateway.store.sql.engine import driver, mapped_errors
from gateway.store.sql.evidence_rows import record_bytes

BATCH = 5_000


@dataclass(frozen=True, slots=True)
class VerifiedJournal:
    """What was found in one journal's records."""

    journal: str
    records: int
    first: int
    """Number of the first record there: above 1 where retention has dropped older days."""
    last: int
    head: str
    """Chain value after the last record: keep it elsewhere, and nothing before it can be changed unseen."""
    problem: str
    """Empty: whole. Else what is wrong, and at which record."""


async def verify_evidence(engine: AsyncEngine) -> list[VerifiedJournal]:
    """Check every journal that was ever shipped. Raises Unavailable. About 300,000 records a second."""
    with mapped_errors():
        async with engine.connect() as connection:
            await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
            found = await connection.execute(text("SELECT journal, seq, chain FROM checkpoints ORDER BY journal"))
            raw = await driver(connection)
            return [await _verify(raw, row[0], int(row[1]), str(row[2])) for row in found.all()]


async def _verify(raw: object, journal: str, shipped: int, shipped_chain: str) -> VerifiedJournal:
    records = first = last = 0
    chain = GENESIS
    problem = ""
    cursor = raw.cursor(  # type: ignore[attr-defined]
        "SELECT seq, record, chain FROM evidence WHERE journal = $1 ORDER BY seq", journal, prefetch=BATCH
    )
    async for seq, record, stored in cursor:
        records += 1
        if records == 1:
            first = seq
            # After retention the record before is gone, and the first one left is taken at its word.
            good = seq > 1 or _follows(GENESIS, record, stored)
        else:
            good = _follows(chain, record, stored)
        gap = read_gap(record.encode())
        if not problem:
            if gap is not None and (records == 1 or gap_follows(last, chain, seq, record.encode(), stored.encode())):
                problem = f"records {gap.first} to {gap.last} are missing, and were set aside: {gap.reason}"
            elif records > 1 and seq != last + 1:
                problem = f"records {last + 1} to {seq - 1} are missing"
            elif not good:
                problem = f"record {seq} was altered"
        last, chain = seq, stored.encode()
    if not problem and (last != shipped or chain.decode() != shipped_chain):
        problem = f"{shipped} records were shipped, the last one there is {last}"
    return VerifiedJournal(journal, records, first, last, chain.decode(), problem)


def _follows(chain: bytes, record: str, stored: str) -> bool:
    try:
        return chain_next(chain, record_bytes(record)).decode() == stored
    except ValueError:
        return False
