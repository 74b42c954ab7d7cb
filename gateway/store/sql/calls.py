"""Find calls in the evidence: each decision with its outcome and its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.gate.records import DecisionRecord, EndRecord, OutcomeRecord
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.evidence_rows import CALL_ID_PREFIX, column_text

MAX_CALLS = 1_000
"""One answer's bound; narrow the search for more."""

_BY_GATEWAY = '"by":"gateway"'
"""In an end record that no BYE made."""

_OPERATED_BY = (
    "CASE WHEN position('\"direction\":\"outbound\"' IN record) > 0 AND position('\"trunk_operator\":' IN record) > 0 "
    "THEN position(:by_trunk IN record) > 0 ELSE position(:by_number IN record) > 0 END"
)
"""Read from the record's text, which our encoder wrote without spaces: a string in JSON holds no bare quote, so no
Call-ID can look like a field."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Place = tuple[int, str]
"""Of a decision in the order of answers: epoch microseconds, id."""

_decision_decoder = msgspec.json.Decoder(DecisionRecord)
_outcome_decoder = msgspec.json.Decoder(OutcomeRecord)
_end_decoder = msgspec.json.Decoder(EndRecord)


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call: the decision, how its set-up ended, how it ended. Times are epoch microseconds."""

    decision: DecisionRecord
    outcome: OutcomeRecord | None
    end: EndRecord | None


async def find_calls(
    engine: AsyncEngine,
    *,
    caller: str | None = None,
    callee_hashes: Sequence[bytes] | None = None,
    call_id: str | None = None,
    decision: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    operator: str | None = None,
    direction: str | None = None,
    before: Place | None = None,
    limit: int = 50,
) -> list[CallRow]:
    """Calls that match all that is given, newest first, at most `limit`.

    `caller`: the call centre's number, canonical (outbound calls' caller, inbound calls' callee).
    `callee_hashes`: keyed hashes of the subscriber's number, 8 bytes each, one for each key. `call_id`: whole and
    exact. `decision`: decision id or its beginning. `operator`: id, of outbound calls by whose trunk it came, of
    inbound ones by whose number was called. `before`: only calls after this place in the order. Raises
    Unavailable."""
    conditions, values = ["kind = 'decision'"], dict[str, object](limit=max(1, min(limit, MAX_CALLS)))
    for clause, name, value in (
        ("number = :caller", "caller", caller),
        ("party = ANY(:party)", "party", callee_hashes),
        ("at >= :since", "since", since),
        ("at < :until", "until", until),
    ):
        if value is not None:
            conditions.append(clause)
            values[name] = value
    if operator is not None:
        conditions.append(_OPERATED_BY)
        name = msgspec.json.encode(operator).decode()
        values |= {"by_trunk": f'"trunk_operator":{name}', "by_number": f'"operator":{name}'}
    if direction is not None:
        conditions.append("position(:direction IN record) > 0")
        values["direction"] = f'"direction":"{direction}"'
    if before is not None:
        conditions.append("(at, id) < (:before_at, :before_id)")
        values |= {"before_at": EPOCH + timedelta(microseconds=before[0]), "before_id": before[1]}
    if call_id is not None:
        # The index is over a prefix; the whole value is compared behind it.
        conditions.append(f"left(call_id, {CALL_ID_PREFIX}) = :prefix AND call_id = :call_id")
        whole = column_text(call_id)
        values |= {"prefix": whole[:CALL_ID_PREFIX], "call_id": whole}
    if decision is not None:
        # A range, so that the index on id serves it in any collation; ids are hex digits.
        conditions.append("id >= :decision AND id < :decision_end")
        values |= {"decision": decision.lower(), "decision_end": decision.lower() + "g"}
    query = f"SELECT id, record FROM evidence WHERE {' AND '.join(conditions)} ORDER BY at DESC, id DESC LIMIT :limit"
    with mapped_errors():
        async with engine.connect() as connection:
            decisions = [(row[0], row[1]) for row in await connection.execute(text(query), values)]
            later = await connection.execute(
                text("SELECT kind, id, record FROM evidence WHERE id = ANY(:ids) AND kind IN ('outcome', 'end')"),
                {"ids": [decision_id for decision_id, _ in decisions]},
            )
            records: dict[tuple[str, str], str] = {}
            for kind, decision_id, record in later:
                # The node that set a call up takes it for ended after `timers.max_call_hours` where its BYE came by
                # another node: the BYE is what happened.
                if (kind, decision_id) not in records or _BY_GATEWAY not in record:
                    records[kind, decision_id] = record
    return [_call(decision_id, record, records) for decision_id, record in decisions]


def _call(decision_id: str, record: str, later: Mapping[tuple[str, str], str]) -> CallRow:
    outcome = later.get(("outcome", decision_id))
    end = later.get(("end", decision_id))
    return CallRow(
        _decision_decoder.decode(record),
        None if outcome is None else _outcome_decoder.decode(outcome),
        None if end is None else _end_decoder.decode(end),
    )
