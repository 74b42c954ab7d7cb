"""What is stored of one callee, found by the keyed hash of his number."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.sql.refusals import OWN


@dataclass(frozen=True, slots=True)
class ConsentRow:
    """A consent with its newest grant and revoke."""

    operator: str
    purpose: str
    granted_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    evidence_uri: str
    evidence_sha256: str
    """Hex."""
    evidence_method: str
    evidence_at: datetime | None

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
    band: str
    list: str
    """Whose it is: empty (ours), `feed:ID`, `home:ID`."""
    declared_at: datetime | None
    withdrawn_at: datetime | None
    source: str
    agreement: str

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
            "SELECT o.id, p.name, c.granted_at, c.expires_at, c.revoked_at, coalesce(c.evidence_uri, ''), "
            "coalesce(encode(c.evidence_sha256, 'hex'), ''), coalesce(c.evidence_method, ''), c.evidence_at "
            "FROM consents c JOIN operators o ON o.number = c.operator JOIN purposes p ON p.number = c.purpose "
            "WHERE c.callee_hash = :hash AND (:operator = '' OR o.id = :operator) "
            "AND (c.granted_at IS NOT NULL OR c.revoked_at IS NOT NULL) ORDER BY o.id, p.name"
        ),
        {"hash": callee_hash, "operator": operator},
    )
    return [ConsentRow(*row) for row in rows]


async def refusals_of(connection: AsyncConnection, callee_hash: bytes, home: str = OWN) -> list[RefusalRow]:
    """By scope, value and band: those in our own list and in feeds, or (`home`: its list) those of a resale operator's
    users alone, which are nobody else's business."""
    rows = await connection.execute(
        text(
            "SELECT scope, value, band, list, declared_at, withdrawn_at, source, agreement FROM refusals "
            "WHERE callee_hash = :hash AND (list = :home OR (:home = '' AND list LIKE 'feed:%')) "
            "AND (declared_at IS NOT NULL OR withdrawn_at IS NOT NULL) ORDER BY scope, value, band, list"
        ),
        {"hash": callee_hash, "home": home},
    )
    return [RefusalRow(*row) for row in rows]
