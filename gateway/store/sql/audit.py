"""The audit trail: who changed what. One row per change, in the change's own transaction; the table is
append-only."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


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
