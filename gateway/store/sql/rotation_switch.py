"""The moment of a rotation (`rotation`): the copies take the place of the tables, and their key comes into force."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.sql import dataset, outbox
from gateway.store.sql.rotation import TABLES, Recode, Rotation, catch_up, lock


async def prepare_switch(connection: AsyncConnection) -> None:
    """So that the copies are planned for as well as the tables are."""
    for table in TABLES:
        await connection.execute(text(f"ANALYZE rotation_{table}"))


async def switch(connection: AsyncConnection, rotation: Rotation, recode: Recode) -> None:
    """Put the copies in force, with the key they are hashed with, at commit."""
    await lock(connection, "ACCESS EXCLUSIVE")
    while await catch_up(connection, rotation, recode, 10_000):
        pass
    for table in TABLES:
        await _exchange(connection, table)
    await connection.execute(text("DROP TABLE rotation_touched, rotation_hashes"))
    await connection.execute(text("DROP FUNCTION rotation_touch"))
    await dataset.exchange_key(connection, rotation.before, rotation.after)
    await connection.execute(
        text("UPDATE key_rotations SET state = 'switched', switched_at = now() WHERE id = :id"), {"id": rotation.id}
    )
    await connection.execute(text("SELECT pg_notify(:channel, '')"), {"channel": outbox.CHANNEL})


async def _exchange(connection: AsyncConnection, table: str) -> None:
    """The copy takes the table's place: its rights, its indexes' names, its counter."""
    grants = (await connection.execute(text(_GRANTS), {"table": table})).scalars().all()
    names, fresh = await _indexes(connection, table), await _indexes(connection, f"rotation_{table}")
    counter = f"{table}_id_seq" if table.endswith("_events") else ""
    if counter:
        await connection.execute(text(f"SELECT setval('rotation_{counter}', (SELECT last_value FROM {counter}))"))
    await connection.execute(text(f"DROP TABLE {table}"))
    await connection.execute(text(f"ALTER TABLE rotation_{table} RENAME TO {table}"))
    for definition, name in fresh.items():
        await connection.execute(text(f'ALTER INDEX "{name}" RENAME TO "{names[definition]}"'))
    if counter:
        await connection.execute(text(f"ALTER SEQUENCE rotation_{counter} RENAME TO {counter}"))
    for grant in grants:
        await connection.execute(text(grant))


async def _indexes(connection: AsyncConnection, table: str) -> dict[str, str]:
    """Name of each index, by what it is over."""
    return {row[0]: row[1] for row in await connection.execute(text(_INDEXES), {"table": table})}


_INDEXES = """
SELECT CASE WHEN indisunique THEN 'unique ' ELSE '' END || substring(pg_get_indexdef(indexrelid) FROM ' USING .*'),
    indexrelid::regclass::text
FROM pg_index WHERE indrelid = CAST(:table AS regclass)
"""
_GRANTS = """
SELECT format('GRANT %s ON %I TO %s', privilege_type, table_name,
    CASE grantee WHEN 'PUBLIC' THEN 'PUBLIC' ELSE quote_ident(grantee) END)
FROM information_schema.role_table_grants
WHERE table_schema = current_schema() AND table_name = :table AND grantee <> current_user
"""
