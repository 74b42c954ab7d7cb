"""What wishes did for the users of one home operator (RULES B19): counted from the evidence, by day.

A home's users are those it has wishes of: the hash of a call's subscriber is looked for among them, so that no count
tells anything of another operator's users."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.sql.refusals import HOME, OWN

MAX_DAYS: Final = 31
"""Of one question: the days of evidence it reads."""
_IN_FORCE = "declared_at >= coalesce(withdrawn_at, '-infinity')"
_REFUSED = '"rule":"callee-refused"'
_OUTBOUND = '"direction":"outbound"'
"""In a decision's record, which our encoder wrote without spaces; a string in JSON holds no bare quote."""


@dataclass(frozen=True, slots=True)
class Day:
    """Calls of one day (UTC) to the operator's users, and those their wishes refused."""

    day: date
    calls: int
    refused: int


@dataclass(frozen=True, slots=True)
class WishStatistics:
    """Of [since, until). `users`, `wishes`: in force now."""

    since: datetime
    until: datetime
    users: int
    wishes: int
    days: list[Day]


async def wish_statistics(
    connection: AsyncConnection, home: str, since: datetime | None = None, until: datetime | None = None
) -> WishStatistics:
    """`home`: a resale operator; empty: our own users. Default: the last MAX_DAYS days. Raises ValueError for a time
    that is longer, or ends before it begins."""
    last = until or (await connection.execute(text("SELECT now()"))).scalar_one().astimezone(UTC)
    first = since or last - timedelta(days=MAX_DAYS)
    if not timedelta(0) < last - first <= timedelta(days=MAX_DAYS):
        raise ValueError(f"write a time before `until`, at most {MAX_DAYS} days")
    whose = {"list": HOME + home if home else OWN}
    held = await connection.execute(
        text(f"SELECT count(DISTINCT callee_hash), count(*) FROM refusals WHERE list = :list AND {_IN_FORCE}"), whose
    )
    users, wishes = held.one()
    rows = await connection.execute(
        text(
            "SELECT (at AT TIME ZONE 'UTC')::date, count(*), count(*) FILTER (WHERE position(:refused IN record) > 0) "
            "FROM evidence WHERE kind = 'decision' AND at >= :since AND at < :until "
            "AND position(:outbound IN record) > 0 AND EXISTS "
            "(SELECT FROM refusals WHERE callee_hash = evidence.party AND list = :list AND declared_at <= evidence.at) "
            "GROUP BY 1 ORDER BY 1"
        ),
        {**whose, "since": first, "until": last, "refused": _REFUSED, "outbound": _OUTBOUND},
    )
    return WishStatistics(first, last, users, wishes, [Day(*row) for row in rows])
