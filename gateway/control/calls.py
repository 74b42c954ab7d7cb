"""Looking for calls in the evidence, for people: by numbers on either side, masked; one number in clear, on record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.gate.pseudonym import Pseudonymizer
from gateway.gate.seal import Sealer
from gateway.keys import Keys
from gateway.store.ports import StoreError
from gateway.store.sql import audit
from gateway.store.sql.calls import CallRow, Place, find_calls
from gateway.store.sql.engine import mapped_errors

ID_DIGITS: Final = 32
"""Hex digits of a whole decision id."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for. Numbers are canonical; empty: any."""

    caller: str = ""
    callee: str = ""
    call_id: str = ""
    decision: str = ""
    since: datetime | None = None
    until: datetime | None = None
    operator: str = ""
    """Only calls that are this operator's: outbound by its trunks, inbound to its numbers."""
    before: Place | None = None


async def search_calls(engine: AsyncEngine, keys: Keys, search: Search, limit: int) -> list[CallRow]:
    """Newest first. A number is looked for on both sides: the call centre's own is stored in clear, a subscriber's as
    a hash, made with the key that was in use then. Raises Unavailable."""
    hashers = [Pseudonymizer(key.secret) for key in keys.pseudonyms]
    found: list[CallRow] = []
    for direction in ("outbound", "inbound"):
        pair = (search.caller, search.callee)
        ours, theirs = pair if direction == "outbound" else pair[::-1]
        rows = await find_calls(
            engine,
            caller=ours or None,
            callee_hashes=[one.hash(theirs) for one in hashers] if theirs else None,
            call_id=search.call_id or None,
            decision=search.decision or None,
            since=search.since,
            until=search.until,
            operator=search.operator or None,
            direction=direction if any(pair) else None,
            before=search.before,
            limit=limit,
        )
        if not any(pair):
            return rows
        found.extend(rows)
    return sorted(found, key=place_of, reverse=True)[:limit]


def place_of(row: CallRow) -> Place:
    """Where a call stands in the order of an answer: epoch microseconds, id."""
    return row.decision.at, row.decision.id


def call_fields(row: CallRow) -> dict[str, Any]:
    """What is shown of a call. No subscriber number in it."""
    decision, outcome, end = row.decision, row.outcome, row.end
    outbound = decision.direction == "outbound"
    return {
        "id": decision.id,
        "at": time_text(decision.at),
        "trunk": decision.trunk,
        "direction": decision.direction,
        "caller": decision.number if outbound else decision.party_mask,
        "callee": decision.party_mask if outbound else decision.number,
        "verdict": decision.verdict,
        "rule": decision.rule,
        "status": decision.status or (outcome.status if outcome else 0),
        "reason": decision.reason,
        "outcome": outcome.result if outcome else "",
        "answered_at": time_text(outcome.at) if outcome and outcome.result == "answered" else "",
        "ended_at": time_text(end.at) if end else "",
        "ended_by": end.by if end else "",
        "route": decision.route,
        "call_id": decision.call_id,
        "source": decision.source,
        "identified": decision.identified,
        "pack": decision.pack,
        "registry": decision.registry,
        "decide_us": decision.decide_us,
        "lookup_us": decision.lookup_us,
    }


def time_text(microseconds: int) -> str:
    """RFC 3339, to the millisecond."""
    return datetime.fromtimestamp(microseconds / 1e6, UTC).isoformat(timespec="milliseconds")


def subscriber_of(row: CallRow, sealer: Sealer) -> str:
    """The subscriber's number in clear; empty where the record holds none. Whoever calls this writes an audit row
    first. Raises SealError."""
    if not row.decision.sealed:
        return ""
    content: dict[str, Any] = msgspec.json.decode(sealer.decrypt(row.decision.sealed))
    return str(content.get("subscriber") or "")


async def reveal_call(engine: AsyncEngine, keys: Keys, decision: str, reason: str, principal: str) -> str | None:
    """The subscriber's number of one decision, in clear; None where there is no such decision. The audit row, with
    `reason`, is committed before the number is read. Raises StoreError, SealError, Unavailable."""
    if len(decision) != ID_DIGITS or not reason.strip():
        raise StoreError(f"decision: {decision!r}: give a whole decision id ({ID_DIGITS} hex digits), and a reason")
    rows = await find_calls(engine, decision=decision, limit=1)
    if not rows:
        return None
    with mapped_errors():
        async with engine.begin() as connection:
            await audit.record(connection, principal, "call.reveal", rows[0].decision.id, {"reason": reason})
    return subscriber_of(rows[0], Sealer(keys.seal_id, keys.seal, keys.older_seals))
