"""Who called this number at that minute: the whole chain of each call in one answer (RULES A35)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.calls import Search, call_fields, search_calls
from gateway.keys import Keys
from gateway.store.sql.calls import CallRow

MINUTE: Final = timedelta(minutes=1)
MAX_TRACED: Final = 100
"""Calls to one number in one minute that are told."""


async def trace(engine: AsyncEngine, keys: Keys, callee: str, minute: datetime) -> list[dict[str, Any]]:
    """Calls to `callee` (canonical) in the minute that begins at `minute`, newest first. Raises Unavailable."""
    since = minute.replace(second=0, microsecond=0)
    search = Search(callee=callee, since=since, until=since + MINUTE)
    return [trace_fields(row) for row in await search_calls(engine, keys, search, MAX_TRACED)]


def trace_fields(row: CallRow) -> dict[str, Any]:
    """A call with everybody who had a part in it. No subscriber number in it."""
    decision, outcome, facts = row.decision, row.outcome, row.decision.facts
    return call_fields(row) | {
        "operator": decision.operator,
        "tenant": facts.tenant if facts else "",
        "range": facts.range_id if facts else "",
        "purpose": facts.purpose if facts else "",
        "consent": facts.consent if facts else "",
        "refusals": list(facts.refusals) if facts else [],
        "agreement": decision.agreement,
        "node": decision.node,
        "next_hop": outcome.hop if outcome else "",
        "shadow": list(decision.shadow),
    }
