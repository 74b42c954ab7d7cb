"""The audit trail: who changed what. One row per change, in the change's own transaction; the table is
append-only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.store.sql.engine import mapped_errors


async def record(
    connection: AsyncConnection, principal: str, action: str, subject: str, detail: Mapping[str, object]
) -> None:
    """Write one row. `detail` is JSON-able and holds no subscriber number in clear (masked is fine)."""
    await connection.execute(
        text(
            "INSERT INTO audit (principal, action, object, detail) "
            "VALUES (:principal, :action, :object, cast(cast(:detail AS text) AS jsonb))"
        ),
        {
            "principal": principal,
            "action": action,
            "object": subject,
            "detail": msgspec.json.encode(dict(detail)).decode(),
        },
    )


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One change."""

    id: int
    at: datetime
    principal: str
    action: str
    object: str
    detail: dict[str, Any]


async def find_changes(
    engine: AsyncEngine,
    *,
    principal: str | None = None,
    action: str | None = None,
    subject: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[AuditRow]:
    """Changes that match all that is given, newest first. `action`: one, or its first word (`consent` for
    `consent.revoke`); `before`: an id. Raises Unavailable."""
    conditions, values = ["true"], dict[str, object](limit=limit)
    for clause, name, value in (
        ("principal = :principal", "principal", principal),
        ("(action = :action OR starts_with(action, :action || '.'))", "action", action),
        ("object = :object", "object", subject),
        ("at >= :since", "since", since),
        ("at < :until", "until", until),
        ("id < :before", "before", before),
    ):
        if value is not None:
            conditions.append(clause)
            values[name] = value
    query = (
        "SELECT id, at, principal, action, object, detail::text FROM audit "
        f"WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT :limit"
    )
    with mapped_errors():
        async with engine.connect() as connection:
            rows = await connection.execute(text(query), values)
            return [AuditRow(row[0], row[1], row[2], row[3], row[4], msgspec.json.decode(row[5])) for row in rows]
