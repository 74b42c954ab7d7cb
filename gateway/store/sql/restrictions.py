"""Restrictions in SQL: put on, lifted, listed. Lifting is the only change a row ever sees."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.registry.standing import SubjectKind
from gateway.store.sql.registry import moment

MAX_LISTED = 10_000


@dataclass(frozen=True, slots=True)
class RestrictionRow:
    """A restriction with its history. Times are epoch seconds, 0 = open."""

    id: int
    kind: str
    subject: str
    reason: str
    from_at: float
    to_at: float
    principal: str
    lifted_by: str
    approver: str
    lift_reason: str


async def add_restriction(
    connection: AsyncConnection, kind: SubjectKind, subject: str, reason: str, from_at: float, to_at: float, by: str
) -> int:
    """Insert one; its id. `from_at` 0: now."""
    row = await connection.execute(
        text(
            "INSERT INTO restrictions (subject_kind, subject, reason, from_at, to_at, principal) "
            "VALUES (:kind, :subject, :reason, coalesce(:from_at, now()), :to_at, :by) RETURNING id"
        ),
        {"kind": kind, "subject": subject, "reason": reason, "from_at": moment(from_at), "to_at": moment(to_at),
         "by": by},
    )  # fmt: skip
    return int(row.scalar_one())


async def lift_restriction(connection: AsyncConnection, row_id: int, reason: str, by: str, approver: str) -> bool:
    """End one now; False where none of this id is in force or to come."""
    done = await connection.execute(
        text(
            "UPDATE restrictions SET to_at = greatest(now(), from_at), lifted_by = :by, approver = :approver, "
            "lift_reason = :reason WHERE id = :id AND lifted_by IS NULL AND (to_at IS NULL OR to_at > now())"
        ),
        {"id": row_id, "by": by, "approver": approver, "reason": reason},
    )
    return bool(done.rowcount)


async def restriction_rows(connection: AsyncConnection, ended: bool = False) -> list[RestrictionRow]:
    """Those in force or to come; with `ended` the past ones too, at most MAX_LISTED, newest first."""
    rows = await connection.execute(
        text(
            "SELECT id, subject_kind, subject, reason, extract(epoch FROM from_at)::float8, "
            "coalesce(extract(epoch FROM to_at), 0)::float8, principal, coalesce(lifted_by, ''), "
            "coalesce(approver, ''), coalesce(lift_reason, '') FROM restrictions "
            "WHERE :ended OR to_at IS NULL OR to_at > now() ORDER BY id DESC LIMIT :limit"
        ),
        {"ended": ended, "limit": MAX_LISTED},
    )
    return [RestrictionRow(*row) for row in rows]
