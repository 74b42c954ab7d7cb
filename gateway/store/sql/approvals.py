"""Approvals in SQL: what one principal asked for and another has to allow. That they are two, the table checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

PENDING: Final = "pending"
APPROVED: Final = "approved"
REJECTED: Final = "rejected"
EXPIRED: Final = "expired"
"""Not stored: a pending one whose time is over."""
STATES: Final = (PENDING, APPROVED, REJECTED, EXPIRED)


@dataclass(frozen=True, slots=True)
class Approval:
    """One. `payload`: the values the change is made with, JSON-able, without subscriber numbers."""

    id: int
    kind: str
    subject: str
    payload: dict[str, Any]
    reason: str
    operator: str
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    state: str
    decided_by: str
    decided_at: datetime | None
    note: str

    @property
    def told(self) -> dict[str, Any]:
        """The payload as lists and the audit trail show it: of a file its size alone."""
        return {name: f"({len(value)} characters)" if name == "text" else value for name, value in self.payload.items()}


_COLUMNS = (
    "id, kind, subject, payload::text, reason, coalesce(operator, ''), requested_by, requested_at, expires_at, "
    "CASE WHEN state = 'pending' AND expires_at <= now() THEN 'expired' ELSE state END, "
    "coalesce(decided_by, ''), decided_at, note"
)


def _approval(row: Any) -> Approval:
    return Approval(row[0], row[1], row[2], msgspec.json.decode(row[3]), *row[4:])


async def add(
    connection: AsyncConnection,
    kind: str,
    subject: str,
    payload: Mapping[str, object],
    reason: str,
    operator: str,
    requested_by: str,
    hours: float,
) -> Approval:
    """A new pending one."""
    row = await connection.execute(
        text(
            "INSERT INTO approvals (kind, subject, payload, reason, operator, requested_by, expires_at) "
            "VALUES (:kind, :subject, cast(cast(:payload AS text) AS jsonb), :reason, :operator, :requested_by, "
            f"now() + make_interval(secs => :seconds)) RETURNING {_COLUMNS}"
        ),
        {
            "kind": kind, "subject": subject, "payload": msgspec.json.encode(dict(payload)).decode(), "reason": reason,
            "operator": operator or None, "requested_by": requested_by, "seconds": hours * 3_600,
        },
    )  # fmt: skip
    return _approval(row.one())


async def pending_on(connection: AsyncConnection, kind: str, subject: str) -> Approval | None:
    """The one of this kind that waits for this subject."""
    row = await connection.execute(
        text(
            f"SELECT {_COLUMNS} FROM approvals WHERE kind = :kind AND subject = :subject AND state = 'pending' "
            "AND expires_at > now() LIMIT 1"
        ),
        {"kind": kind, "subject": subject},
    )
    found = row.one_or_none()
    return None if found is None else _approval(found)


async def lock(connection: AsyncConnection, approval_id: int) -> Approval | None:
    """One, held until the transaction ends."""
    row = await connection.execute(
        text(f"SELECT {_COLUMNS} FROM approvals WHERE id = :id FOR UPDATE"), {"id": approval_id}
    )
    found = row.one_or_none()
    return None if found is None else _approval(found)


async def decide(connection: AsyncConnection, approval_id: int, state: str, by: str, note: str) -> Approval:
    """APPROVED or REJECTED. The table refuses (IntegrityError) an approval by whoever asked."""
    row = await connection.execute(
        text(
            "UPDATE approvals SET state = :state, decided_by = :by, decided_at = now(), note = :note "
            f"WHERE id = :id AND state = 'pending' AND expires_at > now() RETURNING {_COLUMNS}"
        ),
        {"id": approval_id, "state": state, "by": by, "note": note},
    )
    return _approval(row.one())


async def find(
    connection: AsyncConnection,
    *,
    state: str | None = None,
    operator: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[Approval]:
    """Newest first; `before`: an id."""
    conditions, values = ["true"], dict[str, object](limit=limit)
    by_state = {
        PENDING: "state = 'pending' AND expires_at > now()",
        EXPIRED: "state = 'pending' AND expires_at <= now()",
        APPROVED: "state = 'approved'",
        REJECTED: "state = 'rejected'",
    }
    if state is not None:
        conditions.append(by_state[state])
    for clause, name, value in (("operator = :operator", "operator", operator), ("id < :before", "before", before)):
        if value is not None:
            conditions.append(clause)
            values[name] = value
    query = f"SELECT {_COLUMNS} FROM approvals WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT :limit"
    return [_approval(row) for row in await connection.execute(text(query), values)]
