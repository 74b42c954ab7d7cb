"""What is stored of one callee, found by the keyed hash of his number."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class ConsentRow:
    """A consent with its newest grant and revoke."""

    operator: str
    purpose: str
    granted_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    evidence_uri: str

    def state(self, at: datetime) -> str:
        """`live`, `expired` or `revoked`; at equal times the revoke wins."""
        if self.granted_at is None or (self.revoked_at is not None and self.revoked_at >= self.granted_at):
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= at else "live"


@dataclass(frozen=True, slots=True)
class RefusalRow:
    """A refusal with its newest declaration and withdrawal."""

    scope: str
    value: str
    declared_at: datetime | None
    withdrawn_at: datetime | None
    source: str

    @property
    def in_force(self) -> bool:
        """At equal times the declaration wins."""
        if self.declared_at is None:
            return False
        return self.withdrawn_at is None or self.declared_at >= self.withdrawn_at


async def consents_of(connection: AsyncConnection, callee_hash: bytes, operator: str = "") -> list[ConsentRow]:
    """By operator and purpose; `operator`: only that one's."""
    rows = await connection.execute(
        text(
            "SELECT o.id, p.name, c.granted_at, c.expires_at, c.revoked_at, coalesce(c.evidence_uri, '') "
            "FROM consents c JOIN operators o ON o.number = c.operator JOIN purposes p ON p.number = c.purpose "
            "WHERE c.callee_hash = :hash AND (:operator = '' OR o.id = :operator) ORDER BY o.id, p.name"
        ),
        {"hash": callee_hash, "operator": operator},
    )
    return [ConsentRow(*row) for row in rows]


async def refusals_of(connection: AsyncConnection, callee_hash: bytes) -> list[RefusalRow]:
    """By scope and value."""
    rows = await connection.execute(
        text(
            "SELECT scope, value, declared_at, withdrawn_at, source FROM refusals WHERE callee_hash = :hash "
            "ORDER BY scope, value"
        ),
        {"hash": callee_hash},
    )
    return [RefusalRow(*row) for row in rows]
