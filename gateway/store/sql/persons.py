"""Who is whom, where two persons have to agree.

A principal is a name in the audit trail: a token's, or one of the command line. A token says which person holds it;
any other name is a person's own, and `cli:ann`, the system's user, is the person `ann`. Two names are two persons only
where their persons differ and no token of the one was made, directly or by others he made, by the other: whoever makes
a token has seen it and could use it himself.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_MAKERS = text(
    "WITH RECURSIVE hands (side, name) AS ("
    "SELECT * FROM (VALUES (1, cast(:one AS text)), (2, cast(:other AS text))) AS asked "
    "UNION SELECT hands.side, tokens.principal FROM hands JOIN tokens ON tokens.name = hands.name), "
    "persons AS (SELECT side, hands.name, lower(coalesce(person, regexp_replace(hands.name, '^cli:', ''))) AS person "
    "FROM hands LEFT JOIN tokens ON tokens.name = hands.name) "
    "SELECT own.person = others.person, EXISTS (SELECT FROM persons WHERE "
    "(side = 1 AND person = others.person) OR (side = 2 AND person = own.person)) "
    "FROM persons AS own, persons AS others "
    "WHERE own.side = 1 AND own.name = :one AND others.side = 2 AND others.name = :other"
)


async def same_person(connection: AsyncConnection, one: str, other: str) -> str:
    """Why two principals count as one person; empty where they are two."""
    same, made = (await connection.execute(_MAKERS, {"one": one, "other": other})).one()
    if same:
        return "the same person holds both tokens" if one != other else "that is the same principal"
    return "one of you made the other's token" if made else ""
