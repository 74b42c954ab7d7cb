"""The evidence of a running gateway, read from its PostgreSQL as an auditor would."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gateway.store.embedded.servers import read_endpoints
from gateway.store.sql.engine import make_engine
from tests.support.gateway_process import GatewayProcess


@dataclass(slots=True)
class Records:
    """Everything shipped so far, by kind."""

    decisions: Counter[str] = field(default_factory=Counter)
    """Decision id to number of decision records."""
    allowed: set[str] = field(default_factory=set)
    outcomes: dict[str, list[str]] = field(default_factory=dict)
    """Decision id to results."""
    ends: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    """Call-ID to number of decisions on an INVITE. (A refused BYE is a decision record as well.)"""

    def answered(self) -> set[str]:
        """Decision ids of answered calls."""
        return {decision for decision, results in self.outcomes.items() if "answered" in results}


def read_records(gateway: GatewayProcess) -> Records:
    """One look."""
    if url := gateway.env.get("CALLGATE_DATABASE__URL"):
        return asyncio.run(_read(url))
    found = read_endpoints(gateway.state_dir)
    assert found is not None, "no embedded database on this state directory"
    return asyncio.run(_read(found.database_url))


async def _read(url: str) -> Records:
    engine = make_engine(url, pool_size=1)
    records = Records()
    try:
        async with engine.connect() as connection:
            rows = await connection.execute(
                text(
                    "SELECT record::json->>'kind', record::json->>'id', record::json->>'verdict',"
                    " record::json->>'rule', record::json->>'result', record::json->>'call_id',"
                    " record::json->>'method' FROM evidence ORDER BY journal, seq"
                )
            )
            for kind, decision, verdict, rule, result, call_id, method in rows:
                if kind == "decision":
                    records.decisions[decision] += 1
                    records.rules[rule] += 1
                    if method is None or method == "INVITE":
                        records.calls[call_id] += 1
                    if verdict == "allow":
                        records.allowed.add(decision)
                elif kind == "outcome":
                    records.outcomes.setdefault(decision, []).append(result)
                elif kind == "end":
                    records.ends[decision] += 1
    finally:
        await engine.dispose()
    return records


def wait_for(gateway: GatewayProcess, decisions: int, ends: int, timeout_s: float = 20.0) -> Records:
    """Look until that many distinct decisions and end records are there, or time is up; what was there last."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            records = read_records(gateway)
        except (DBAPIError, OSError):  # the server is being killed or started by the test
            records = Records()
        if len(records.decisions) >= decisions and len(records.ends) >= ends:
            time.sleep(0.5)  # a doubled record would still be on its way
            return read_records(gateway)
        if time.monotonic() > deadline:
            return records
        time.sleep(0.2)
