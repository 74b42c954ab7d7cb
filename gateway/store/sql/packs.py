"""Rule packs in SQL: every version that was ever imported, and when each was in force (RULES A40).

A term is one version's time in force. It begins with an import and ends with the next version of that pack, with
another pack in its place, or with a withdrawal; the caller holds the registry's lock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class PackRow:
    """A stored pack."""

    id: str
    version: int
    sha256: str
    principal: str
    imported_at: datetime
    in_force: bool
    since: datetime | None
    """Since when it is in force; None: it is not."""
    text: str


@dataclass(frozen=True, slots=True)
class Term:
    """One version's time in force. `to_at` None: it has not ended."""

    id: str
    version: int
    from_at: datetime
    to_at: datetime | None
    principal: str
    ended_by: str
    reason: str
    approver: str
    text: str


async def texts_in_force(connection: AsyncConnection) -> dict[str, str]:
    """Id to TOML text of the packs in force, in id order."""
    rows = await connection.execute(
        text("SELECT id, text FROM pack_terms JOIN packs USING (id, version) WHERE to_at IS NULL ORDER BY id")
    )
    return {row[0]: row[1] for row in rows}


async def terms_at(connection: AsyncConnection, at: datetime | None = None) -> list[Term]:
    """The packs in force at a time (None: now), in id order. A worker switches within a second of a change; the record
    of a decision names the version that made it."""
    condition = "to_at IS NULL" if at is None else "from_at <= :at AND (to_at IS NULL OR to_at > :at)"
    rows = await connection.execute(
        text(
            "SELECT id, version, from_at, to_at, pack_terms.principal, ended_by, reason, approver, text "
            f"FROM pack_terms JOIN packs USING (id, version) WHERE {condition} ORDER BY id"
        ),
        {} if at is None else {"at": at},
    )
    return [Term(*row) for row in rows]


async def stored_sha256(connection: AsyncConnection, pack: str, version: int) -> bytes | None:
    """Digest of a stored version; None: there is none."""
    row = await connection.execute(
        text("SELECT sha256 FROM packs WHERE id = :id AND version = :version"), {"id": pack, "version": version}
    )
    found = row.scalar_one_or_none()
    return None if found is None else bytes(found)


async def store(connection: AsyncConnection, pack: str, version: int, sha256: bytes, words: str, who: str) -> None:
    """Keep a version, for ever."""
    await connection.execute(
        text(
            "INSERT INTO packs (id, version, sha256, text, principal) "
            "VALUES (:id, :version, :sha256, :text, :principal)"
        ),
        {"id": pack, "version": version, "sha256": sha256, "text": words, "principal": who},
    )


async def begin_term(
    connection: AsyncConnection,
    pack: str,
    version: int,
    who: str,
    ends: Sequence[str] = (),
    *,
    reason: str = "",
    approver: str = "",
) -> None:
    """Put a version in force from now on: in the place of the version there is, and of the packs `ends`."""
    now = await _now(connection)
    await _end(connection, (pack, *ends), who, now)
    await connection.execute(
        text(
            "INSERT INTO pack_terms (id, version, from_at, principal, reason, approver) "
            "VALUES (:id, :version, :at, :principal, :reason, :approver)"
        ),
        {"id": pack, "version": version, "at": now, "principal": who, "reason": reason, "approver": approver},
    )


async def end_term(connection: AsyncConnection, pack: str, who: str) -> None:
    """Take a pack out of force."""
    await _end(connection, (pack,), who, await _now(connection))


async def _end(connection: AsyncConnection, packs: Sequence[str], who: str, now: datetime) -> None:
    await connection.execute(
        text("UPDATE pack_terms SET to_at = :at, ended_by = :who WHERE to_at IS NULL AND id = ANY(:ids)"),
        {"at": now, "who": who, "ids": list(packs)},
    )


async def _now(connection: AsyncConnection) -> datetime:
    """The time behind the lock. `now()` is when the transaction began, which may be before a term it ends."""
    found: datetime = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
    return found


async def stored_packs(connection: AsyncConnection, before: tuple[str, int] | None, limit: int) -> list[PackRow]:
    """Every stored version, by id, the newest version first."""
    condition = "" if before is None else "WHERE id > :id OR id = :id AND version < :version"
    rows = await connection.execute(
        text(
            "SELECT id, version, encode(sha256, 'hex'), packs.principal, imported_at, from_at IS NOT NULL, from_at, "
            "text FROM packs LEFT JOIN (SELECT id, version, from_at FROM pack_terms WHERE to_at IS NULL) AS term "
            f"USING (id, version) {condition} ORDER BY id, version DESC LIMIT :limit"
        ),
        {"limit": limit} | ({} if before is None else {"id": before[0], "version": before[1]}),
    )
    return [PackRow(*row) for row in rows]
