"""Restrictions in SQL: put on, lifted, listed. A row changes only by lifting, and by what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.registry.standing import SubjectKind
from gateway.store.sql.registry import moment

MAX_LISTED = 10_000

Said = Literal["notice", "appeal"]
"""What can be recorded of a restriction besides its lifting."""


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
    origin: str = ""
    """Of one the ladder made: decision, kind and subject; empty: a person made it."""
    notice: str = ""
    """What whom it concerns was told, and when; empty: nothing yet."""
    notice_at: float = 0.0
    appeal: str = ""
    """What they said against it, and when."""
    appeal_at: float = 0.0


async def add_restriction(
        connection: AsyncConnection,
    kind: SubjectKind,
    subject: str,
    reason: str,
    from_at: float,
    to_at: float,
    by: str,
    origin: str = "",
) -> int:
    """Insert one; its id, 0 where one of this `origin` is there. `from_at` 0: now."""
    row = await connection.execute(
        text(
            "INSERT INTO restrictions (subject_kind, subject, reason, from_at, to_at, principal, origin) "
            "VALUES (:kind, :subject, :reason, coalesce(:from_at, now()), :to_at, :by, :origin) "
            "ON CONFLICT (origin) WHERE origin <> '' DO NOTHING RETURNING id"
        ),
        {"kind": kind, "subject": subject, "reason": reason, "from_at": moment(from_at), "to_at": moment(to_at),
         "by": by, "origin": origin},
    )  # fmt: skip
    return int(row.scalar_one_or_none() or 0)


async def say_of_restriction(connection: AsyncConnection, row_id: int, what: Said, words: str) -> bool:
    """Record a notice given to whom it concerns, or their appeal, now; the last one stays. False: there is no such."""
    done = await connection.execute(
        text(f"UPDATE restrictions SET {what} = :words, {what}_at = now() WHERE id = :id"),
        {"id": row_id, "words": words},
    )
    return bool(done.rowcount)


async def ended_origins(connection: AsyncConnection, origins: list[str]) -> tuple[set[str], set[str]]:
    """Of restrictions of the ladder: those that are there, and of them those that have ended."""
    rows = await connection.execute(
        text(
            "SELECT origin, lifted_by IS NOT NULL OR coalesce(to_at <= now(), false) FROM restrictions "
            "WHERE origin = ANY(:origins)"
        ),
        {"origins": origins},
    )
    found = [(str(origin), bool(ended)) for origin, ended in rows]
    return {origin for origin, _ in found}, {origin for origin, ended in found if ended}


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
            "coalesce(approver, ''), coalesce(lift_reason, ''), origin, notice, "
            "coalesce(extract(epoch FROM notice_at), 0)::float8, appeal, "
            "coalesce(extract(epoch FROM appeal_at), 0)::float8 FROM restrictions "
            "WHERE :ended OR to_at IS NULL OR to_at > now() ORDER BY id DESC LIMIT :limit"
        ),
        {"ended": ended, "limit": MAX_LISTED},
    )
    return [RestrictionRow(*row) for row in rows]
