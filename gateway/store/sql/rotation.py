"""Another key for the stored numbers, beside changes that go on: every table that names a callee is copied.

Theory of operation. Each table has a copy, `rotation_…`, whose rows have the new hash and are sealed anew. It is filled
in the order of the old hashes, a bounded batch in a transaction, which also notes how far it is; whoever dies meanwhile
is followed by one who goes on there. From the beginning, triggers note the callee of every change
(`rotation_touched`): those that were copied already are copied once more. So changes, imports and rollbacks know
nothing of it; they go on under the key in force. At the end, under a lock of a moment, the last of these are copied,
the copies take the names of the tables, and the data set names the other key: all in one transaction, so it is never
half in effect (`rotation_switch`). The old hashes are gone with the old tables; evidence keeps its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.ports import Conflict
from gateway.store.sql import dataset, versions
from gateway.store.sql.engine import driver

TABLES: Final = ("consents", "refusals", "consent_events", "refusal_events", "undo_consents", "undo_refusals")
"""Those with a sealed number come first: the hash of a row without one is found by its callee's other rows."""

SEALED: Final = TABLES[:4]

COPYING, COPIED, SWITCHED, DONE, GIVEN_UP = "copying", "copied", "switched", "done", "given up"
OPEN: Final = (COPYING, COPIED, SWITCHED)

LOCK_MS: Final = 2_000
"""Longest wait for the locks of a moment; whoever changes something waits behind it. Tried again after a pause."""

LOCK: Final = 0x63676B72
"""Advisory lock (`cgkr`): one process at a time rotates keys."""

Recode = Callable[[str], tuple[bytes, str]]
"""A sealed number to its hash under the new key, and sealed anew."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """One. `before`, `after`: checks of pseudonym keys; `seal_…`: ids; `rows`: copied of about `total`; `reached`: the
    last old hash copied; `finished_at`: from then on no worker used the key before."""

    id: int
    before: bytes
    after: bytes
    seal_before: int
    seal_after: int
    principal: str
    state: str
    reached: bytes | None
    rows: int
    total: int
    started_at: datetime
    switched_at: datetime | None
    finished_at: datetime | None


_COLUMNS = (
    "id, before, after, seal_before, seal_after, principal, state, reached, rows, total, started_at, switched_at, "
    "finished_at"
)


async def load_rotations(connection: AsyncConnection) -> list[Rotation]:
    """All there were, newest first."""
    rows = await connection.execute(text(f"SELECT {_COLUMNS} FROM key_rotations ORDER BY id DESC"))
    return [Rotation(*row) for row in rows]


async def open_rotation(connection: AsyncConnection) -> Rotation | None:
    """The one that is under way."""
    return next((one for one in await load_rotations(connection) if one.state in OPEN), None)


async def begin(
    connection: AsyncConnection, before: bytes, after: bytes, seals: tuple[int, int], principal: str
) -> Rotation:
    """Make the copies, empty, and have changes noted. Raises Conflict where something else depends on the tables."""
    total = await connection.execute(
        text("SELECT ((SELECT count(*) FROM consents) + (SELECT count(*) FROM refusals))::bigint")
    )
    views = (await connection.execute(text(_VIEWS), {"tables": list(TABLES)})).scalars().all()
    if views:
        raise Conflict(f"keys: the views {', '.join(views)} stand on tables that are exchanged: drop them before")
    await lock(connection, "SHARE ROW EXCLUSIVE")
    await connection.execute(text("CREATE TABLE rotation_touched (callee_hash bytea NOT NULL)"))
    await connection.execute(
        text("CREATE TABLE rotation_hashes (former bytea, callee_hash bytea UNIQUE, PRIMARY KEY (former, callee_hash))")
    )
    await connection.execute(text(_FUNCTION))
    for table in TABLES:
        await connection.execute(text(f"CREATE TABLE rotation_{table} (LIKE {table} INCLUDING ALL)"))
        if table.startswith("undo_"):
            await connection.execute(text(f"CREATE INDEX rotation_{table}_callee ON {table} (callee_hash)"))
        for event, rows in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
            await connection.execute(
                text(
                    f"CREATE TRIGGER rotation_{event.lower()} AFTER {event} ON {table} REFERENCING {rows} TABLE "
                    "AS changed FOR EACH STATEMENT EXECUTE FUNCTION rotation_touch()"
                )
            )
    row = await connection.execute(
        text(
            "INSERT INTO key_rotations (before, after, seal_before, seal_after, principal, total) "
            f"VALUES (:before, :after, :seal_before, :seal_after, :principal, :total) RETURNING {_COLUMNS}"
        ),
        {
            "before": before, "after": after, "seal_before": seals[0], "seal_after": seals[1], "principal": principal,
            "total": total.scalar_one(),
        },
    )  # fmt: skip
    return Rotation(*row.one())


_VIEWS = """
SELECT DISTINCT v.relname FROM pg_depend AS d
JOIN pg_rewrite AS r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
JOIN pg_class AS v ON v.oid = r.ev_class
WHERE d.refobjid = ANY(SELECT t::regclass FROM unnest(CAST(:tables AS text[])) AS t)
"""
_FUNCTION = """
CREATE FUNCTION rotation_touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO rotation_touched SELECT DISTINCT callee_hash FROM changed;
    RETURN NULL;
END $$
"""


async def copy_batch(connection: AsyncConnection, rotation: Rotation, recode: Recode, limit: int) -> Rotation:
    """Copy the next callees, about `limit` rows; the rotation as it is then."""
    raw = await _locked(connection, rotation)
    low = rotation.reached or b""
    hashes = await raw.fetch(_NEXT, low, limit)
    last = hashes[-1][0] if len(hashes) >= limit else None
    if last is None:  # the rest: whatever any of the tables has behind it
        rows = await _copy(raw, recode, "callee_hash > $1", low)
    else:
        rows = await _copy(raw, recode, "callee_hash > $1 AND callee_hash <= $2", low, last)
    row = await connection.execute(
        text(
            "UPDATE key_rotations SET reached = coalesce(:reached, reached), rows = rows + :rows, state = :state "
            f"WHERE id = :id AND state = 'copying' RETURNING {_COLUMNS}"
        ),
        {"reached": last, "rows": rows, "state": COPYING if last else COPIED, "id": rotation.id},
    )
    return Rotation(*row.one())


_NEXT = """
SELECT callee_hash FROM (
    (SELECT callee_hash FROM consents WHERE callee_hash > $1 ORDER BY callee_hash LIMIT $2)
    UNION ALL (SELECT callee_hash FROM refusals WHERE callee_hash > $1 ORDER BY callee_hash LIMIT $2)
) AS found ORDER BY callee_hash LIMIT $2
"""


async def catch_up(connection: AsyncConnection, rotation: Rotation, recode: Recode, limit: int) -> int:
    """Copy once more what changed since it was copied; how many notes of changes were dealt with."""
    raw = await _locked(connection, rotation)
    noted = await raw.fetch(
        "DELETE FROM rotation_touched WHERE ctid = ANY(ARRAY(SELECT ctid FROM rotation_touched LIMIT $1)) "
        "RETURNING callee_hash",
        limit,
    )
    hashes = {bytes(row[0]) for row in noted}
    if rotation.state == COPYING:  # what lies behind is copied as it is then
        hashes = {one for one in hashes if rotation.reached is not None and one <= rotation.reached}
    if hashes:
        known = await raw.fetch("SELECT callee_hash FROM rotation_hashes WHERE former = ANY($1::bytea[])", list(hashes))
        for table in TABLES:
            await raw.execute(
                f"DELETE FROM rotation_{table} WHERE callee_hash = ANY($1::bytea[])", [row[0] for row in known]
            )
        await _copy(raw, recode, "callee_hash = ANY($1::bytea[])", list(hashes))
    return len(noted)


async def _locked(connection: AsyncConnection, rotation: Rotation) -> Any:
    """The driver's connection, inside the transaction that this begins. Raises Conflict where somebody else has taken
    the rotation further."""
    found = await connection.execute(
        text(
            "SELECT state = :state AND reached IS NOT DISTINCT FROM CAST(:reached AS bytea) FROM key_rotations "
            "WHERE id = :id FOR UPDATE"
        ),
        {"state": rotation.state, "reached": rotation.reached, "id": rotation.id},
    )
    if not found.scalar_one():
        raise Conflict("keys: somebody else goes on with this rotation")
    return await driver(connection)


async def _copy(raw: Any, recode: Recode, where: str, *values: object) -> int:
    """Rows of all tables; how many of consents and refusals."""
    hashes: dict[bytes, bytes] = {}
    pairs: set[tuple[bytes, bytes]] = set()
    count = 0
    for table in TABLES:
        rows = await raw.fetch(f"SELECT * FROM {table} WHERE {where}", *values)
        if not rows:
            continue
        names = list(rows[0].keys())
        at, sealed_at = names.index("callee_hash"), names.index("callee_sealed") if "callee_sealed" in names else -1
        records: list[list[object]] = []
        for row in rows:
            record = list(row)
            former = record[at]
            if sealed_at >= 0:
                callee_hash, record[sealed_at] = recode(record[sealed_at])
                record[at] = hashes[former] = callee_hash
                pairs.add((former, callee_hash))
            elif former in hashes:
                record[at] = hashes[former]
            else:
                continue  # kept to undo a change of a row that is gone: there is nothing to undo
            records.append(record)
        await raw.copy_records_to_table(f"rotation_{table}", records=records, columns=names)
        count += len(records) if table in TABLES[:2] else 0
    await raw.execute(_NOTE_HASHES, [former for former, _ in pairs], [callee_hash for _, callee_hash in pairs])
    return count


_NOTE_HASHES = (
    "INSERT INTO rotation_hashes SELECT * FROM unnest($1::bytea[], $2::bytea[]) ON CONFLICT (former, callee_hash) "
    "DO NOTHING"
)


async def lock(connection: AsyncConnection, mode: str) -> None:
    """Until commit, nobody changes what names a callee. In the order in which everybody takes these locks: bulk
    changes, the data set's row, tables."""
    await connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_MS}"))
    for kind in (versions.CONSENTS, versions.REFUSALS):
        await versions.lock(connection, kind)
    await dataset.lock(connection)
    await connection.execute(text(f"LOCK TABLE {', '.join(TABLES)} IN {mode} MODE"))


async def give_up(connection: AsyncConnection, rotation: Rotation) -> None:
    """Before the switch: everything as it was."""
    await lock(connection, "ACCESS EXCLUSIVE")
    for table in TABLES:
        await connection.execute(text(f"DROP TABLE rotation_{table}"))
        for event in ("insert", "update", "delete"):
            await connection.execute(text(f"DROP TRIGGER rotation_{event} ON {table}"))
        await connection.execute(text(f"DROP INDEX IF EXISTS rotation_{table}_callee"))
    await connection.execute(text("DROP TABLE rotation_touched, rotation_hashes"))
    await connection.execute(text("DROP FUNCTION rotation_touch"))
    await end(connection, rotation, GIVEN_UP)


async def end(connection: AsyncConnection, rotation: Rotation, state: str) -> None:
    """Over: `DONE` or `GIVEN_UP`."""
    await connection.execute(
        text("UPDATE key_rotations SET state = :state, finished_at = now() WHERE id = :id"),
        {"state": state, "id": rotation.id},
    )
