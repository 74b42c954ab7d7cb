"""Reports on the evidence: how operators call, and signs that numbers or trunks are let to others.

They read every decision of the time that is asked for: reports, not searches. Fields are read from the records' JSON,
and only those that the gateway writes itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.store.sql.engine import mapped_errors

MAX_FINDINGS = 1_000

_TRAFFIC = """
SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM') AS month, operator,
       count(*) FILTER (WHERE direction = 'inbound'), count(*) FILTER (WHERE direction = 'outbound')
FROM (
    SELECT at, record::json ->> 'operator' AS operator, record::json ->> 'direction' AS direction
    FROM evidence
    WHERE kind = 'decision' AND at >= :since AND at < :until AND position('"rule":"allow"' IN record) > 0
) AS allowed
WHERE operator <> '' AND (:operator = '' OR operator = :operator)
GROUP BY 1, 2 ORDER BY 1, 2
"""

_FOREIGN = """
SELECT record::json ->> 'trunk', coalesce(record::json -> 'facts' ->> 'trunk_operator', ''),
       coalesce(record::json ->> 'operator', ''), coalesce(number, ''), count(*), min(at), max(at)
FROM evidence
WHERE kind = 'decision' AND at >= :since AND at < :until AND position('"rule":"number-foreign"' IN record) > 0
GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC, 1, 4 LIMIT :limit
"""

_BEHAVIOUR = """
SELECT record::json ->> 'trunk', coalesce(record::json -> 'facts' ->> 'trunk_operator', ''),
       count(*) FILTER (WHERE record::json ->> 'verdict' = 'allow'),
       count(*) FILTER (WHERE record::json ->> 'rule' = 'behaviour'),
       min(at), max(at)
FROM evidence
WHERE kind = 'decision' AND at >= :since AND at < :until AND position('"behaviour"' IN record) > 0
GROUP BY 1, 2 ORDER BY 4 DESC, 3 DESC, 1 LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Calls that were let through, emergency calls aside, of one operator in one month (UTC)."""

    month: str
    operator: str
    inbound: int
    outbound: int

    @property
    def outbound_percent(self) -> int:
        """Share of outbound calls, rounded down."""
        return 100 * self.outbound // (self.inbound + self.outbound)


@dataclass(frozen=True, slots=True)
class ForeignNumber:
    """A number that was seen on a trunk of somebody else's (RULES A17)."""

    trunk: str
    trunk_operator: str
    owner: str
    number: str
    calls: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class BehaviourFinding:
    """A trunk whose calls rule `behaviour` marked or refused (RULES A37, A42)."""

    trunk: str
    operator: str
    marked: int
    refused: int
    first: datetime
    last: datetime


async def traffic(engine: AsyncEngine, since: datetime, until: datetime, operator: str = "") -> list[Traffic]:
    """Calls by operator and month, inbound and outbound (RULES A05). `operator` empty: all. Raises Unavailable."""
    values = {"since": since, "until": until, "operator": operator}
    with mapped_errors():
        async with engine.connect() as connection:
            return [Traffic(*row) for row in await connection.execute(text(_TRAFFIC), values)]


async def foreign_numbers(engine: AsyncEngine, since: datetime, until: datetime) -> list[ForeignNumber]:
    """Numbers on trunks of other operators, both named; the most frequent first. Raises Unavailable."""
    values = {"since": since, "until": until, "limit": MAX_FINDINGS}
    with mapped_errors():
        async with engine.connect() as connection:
            return [ForeignNumber(*row) for row in await connection.execute(text(_FOREIGN), values)]


async def behaviour(engine: AsyncEngine, since: datetime, until: datetime) -> list[BehaviourFinding]:
    """Trunks with calls that rule `behaviour` had something against. Raises Unavailable."""
    values = {"since": since, "until": until, "limit": MAX_FINDINGS}
    with mapped_errors():
        async with engine.connect() as connection:
            return [BehaviourFinding(*row) for row in await connection.execute(text(_BEHAVIOUR), values)]
