"""Versions of lists in SQL, and the way back to an earlier one.

A list is what one owner says: `consents:OPERATOR`, `refusals` (our own), `home:ID`, `feed:ID`. Each bulk import that
changes it makes a version. Rows an import made carry its `change` in `born`; how rows were that it changed is kept
in `undo_consents` and `undo_refusals`. Going back to version N undoes everything behind it at once: made rows become
void, the oldest kept state of the others is put back, and then the single events since then (`consent_events`,
`refusal_events`) are merged again. So what was said by hand after an import stands, also where the import had
overruled it. Rows of different lists never meet, so the order of other lists' imports does not matter."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.sql import consents, refusals
from gateway.store.sql.merged import merge_memory

KEEP_VERSIONS = 10
KEEP_DAYS = 30
"""A version can be undone while it is among the newest of its list, and not older."""

LOCK = 0x63676C73
"""Advisory lock (`cgls`) of what changes lists in bulk, one per kind: versions are made one after the other."""

CONSENTS, REFUSALS = "consents", "refusals"
OF_CONSENTS = "consents:"
OWN_REFUSALS = "refusals"

IN_FORCE, ROLLED_BACK = "in force", "rolled back"
_NO_EVENTS_DAYS = 1
"""Single events are kept at least this long: an import that is being merged cannot be seen yet."""


@dataclass(frozen=True, slots=True)
class ListVersion:
    """One. `added`, `changed`: rows; `rows`: of a feed, what stands after it."""

    id: int
    list: str
    version: int
    import_id: int
    change: int
    kind: str
    name: str
    principal: str
    added: int
    changed: int
    rows: int
    issued_at: datetime | None
    at: datetime
    state: str
    undo: bool


_COLUMNS = (
    "id, list, version, import_id, change, kind, name, principal, added, changed, rows, issued_at, at, state, undo"
)


async def lock(connection: AsyncConnection, kind: str) -> None:
    """Until commit, nobody else changes lists of this kind in bulk."""
    await connection.execute(
        text("SELECT pg_advisory_xact_lock(:lock, :kind)"), {"lock": LOCK, "kind": (CONSENTS, REFUSALS).index(kind)}
    )


async def record(
    connection: AsyncConnection, name: str, import_id: int, change: int, file: str, principal: str,
    counted: tuple[int, int], *, kind: str = "import", version: int = 0, rows: int = 0,
    issued_at: datetime | None = None,
) -> None:  # fmt: skip
    """Note a version of list `name`. `counted`: rows added, rows changed; `version` 0: the next number."""
    await connection.execute(
        text(
            "INSERT INTO list_versions (list, version, import_id, change, kind, name, principal, added, changed, rows, "
            "issued_at) SELECT :list, CASE WHEN :version > 0 THEN :version ELSE "
            "coalesce((SELECT max(version) FROM list_versions WHERE list = :list), 0) + 1 END, "
            ":import_id, :change, :kind, :name, :principal, :added, :changed, :rows, :issued_at"
        ),
        {
            "list": name, "version": version, "import_id": import_id, "change": change, "kind": kind, "name": file,
            "principal": principal, "added": counted[0], "changed": counted[1], "rows": rows, "issued_at": issued_at,
        },
    )  # fmt: skip


async def load(connection: AsyncConnection, name: str = "", limit: int = 100) -> list[ListVersion]:
    """Versions of a list (of all: empty), newest first."""
    rows = await connection.execute(
        text(f"SELECT {_COLUMNS} FROM list_versions WHERE :list IN ('', list) ORDER BY id DESC LIMIT :limit"),
        {"list": name, "limit": limit},
    )
    return [ListVersion(*row) for row in rows]


_VOID_CONSENTS = """
UPDATE consents SET granted_at = NULL, expires_at = NULL, evidence_uri = NULL, evidence_sha256 = NULL,
    evidence_method = NULL, evidence_at = NULL, revoked_at = NULL, change = :change, born = 0
WHERE born = ANY(:undone) AND operator = :part
"""
_RESTORE_CONSENTS = """
UPDATE consents AS c SET granted_at = u.granted_at, expires_at = u.expires_at, evidence_uri = u.evidence_uri,
    evidence_sha256 = u.evidence_sha256, evidence_method = u.evidence_method, evidence_at = u.evidence_at,
    revoked_at = u.revoked_at, change = :change
FROM (
    SELECT DISTINCT ON (operator, callee_hash, purpose) * FROM undo_consents
    WHERE change = ANY(:undone) AND operator = :part ORDER BY operator, callee_hash, purpose, change
) AS u
WHERE (c.callee_hash, c.operator, c.purpose) = (u.callee_hash, u.operator, u.purpose) AND c.change <> :change
"""
_VOID_REFUSALS = """
UPDATE refusals SET declared_at = NULL, withdrawn_at = NULL, source = '', agreement = '', change = :change, born = 0
WHERE born = ANY(:undone) AND list = :part
"""
_RESTORE_REFUSALS = """
UPDATE refusals AS r SET declared_at = u.declared_at, withdrawn_at = u.withdrawn_at, source = u.source,
    agreement = u.agreement, change = :change
FROM (
    SELECT DISTINCT ON (list, callee_hash, scope, value, band) * FROM undo_refusals
    WHERE change = ANY(:undone) AND list = :part ORDER BY list, callee_hash, scope, value, band, change
) AS u
WHERE (r.callee_hash, r.scope, r.value, r.band, r.list) = (u.callee_hash, u.scope, u.value, u.band, u.list)
    AND r.change <> :change
"""


async def undo_consents(connection: AsyncConnection, operator: int, undone: list[int], change: int) -> int:
    """Undo these changes to an operator's consents; how many rows are touched by it."""
    await merge_memory(connection)
    values = {"undone": undone, "part": operator, "change": change}
    for statement in (_VOID_CONSENTS, _RESTORE_CONSENTS):
        await connection.execute(text(statement), values)
    source = (
        f"(SELECT e.* FROM consent_events AS e JOIN consents AS c USING (callee_hash, operator, purpose) "
        f"WHERE c.operator = {int(operator)} AND c.change = {int(change)})"
    )
    await consents.merge(connection, source, change)
    await connection.execute(
        text("DELETE FROM undo_consents WHERE change = ANY(:undone) AND operator = :part"), values
    )
    return await _touched(connection, "consents", change)


async def undo_refusals(connection: AsyncConnection, part: str, undone: list[int], change: int) -> int:
    """Undo these changes to a list of refusals; how many rows are touched by it."""
    await merge_memory(connection)
    values = {"undone": undone, "part": part, "change": change}
    for statement in (_VOID_REFUSALS, _RESTORE_REFUSALS):
        await connection.execute(text(statement), values)
    source = (
        f"(SELECT e.* FROM refusal_events AS e JOIN refusals AS r USING ({refusals.KEY}) "
        f"WHERE r.change = {int(change)})"
    )
    await refusals.merge(connection, source, change)
    await connection.execute(text("DELETE FROM undo_refusals WHERE change = ANY(:undone) AND list = :part"), values)
    return await _touched(connection, "refusals", change)


async def _touched(connection: AsyncConnection, table: str, change: int) -> int:
    row = await connection.execute(text(f"SELECT count(*) FROM {table} WHERE change = :change"), {"change": change})
    return int(row.scalar_one())


async def mark_rolled_back(connection: AsyncConnection, ids: list[int]) -> None:
    """These are undone."""
    await connection.execute(
        text("UPDATE list_versions SET state = 'rolled back', undo = false WHERE id = ANY(:ids)"), {"ids": ids}
    )


_EXPIRED = """
SELECT id, list, change FROM (
    SELECT id, list, change, at, row_number() OVER (PARTITION BY list ORDER BY id DESC) AS place
    FROM list_versions WHERE undo
) AS v WHERE place > :versions OR at < now() - make_interval(days => :days)
"""
_TRIM = (
    "DELETE FROM undo_consents USING operators WHERE change = ANY(:changes) AND operators.number = operator "
    "AND (change, 'consents:' || operators.id) IN (SELECT change, list FROM list_versions WHERE id = ANY(:ids))",
    "DELETE FROM undo_refusals WHERE change = ANY(:changes) AND (change, CASE list WHEN '' THEN 'refusals' ELSE list "
    "END) IN (SELECT change, list FROM list_versions WHERE id = ANY(:ids))",
    "UPDATE list_versions SET undo = false WHERE id = ANY(:ids)",
)
_TRIM_EVENTS = """
DELETE FROM {table} WHERE recorded_at < least(
    (SELECT min(at) FROM list_versions WHERE undo), now() - make_interval(days => :days))
"""
_TRIM_VOID = (
    "DELETE FROM consents WHERE granted_at IS NULL AND revoked_at IS NULL AND change < :kept",
    "DELETE FROM refusals WHERE declared_at IS NULL AND (withdrawn_at IS NULL OR list LIKE 'feed:%') "
    "AND change < :kept",
)


async def trim(connection: AsyncConnection) -> None:
    """Give up what is too old to be undone, and void rows that nobody needs any more: neither a rollback nor a Redis
    that has yet to hear of them."""
    found = await connection.execute(text(_EXPIRED), {"versions": KEEP_VERSIONS, "days": KEEP_DAYS})
    expired = found.all()
    if expired:
        values = {"ids": [row[0] for row in expired], "changes": [row[2] for row in expired]}
        for statement in _TRIM:
            await connection.execute(text(statement), values)
    for table in ("consent_events", "refusal_events"):
        await connection.execute(text(_TRIM_EVENTS.format(table=table)), {"days": _NO_EVENTS_DAYS})
    oldest = await connection.execute(
        text(
            "SELECT least((SELECT min(change) FROM list_versions WHERE undo), (SELECT min(id) FROM outbox))"
        )
    )
    kept = oldest.scalar_one()
    if kept is not None:
        for statement in _TRIM_VOID:
            await connection.execute(text(statement), {"kept": kept})
