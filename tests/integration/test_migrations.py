"""The migrations make what schema.py says, run again for nothing, and hold back a second node."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from gateway.store.sql.engine import make_engine
from gateway.store.sql.migrate import migrate, script_directory
from gateway.store.sql.schema import metadata


async def test_migrations_make_the_schema(migrated_url: str) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    engine = make_engine(migrated_url)
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_migrate_again_and_at_once_from_two_nodes(database_url: str) -> None:
    head = script_directory().get_current_head()
    assert set(await asyncio.gather(migrate(database_url), migrate(database_url))) == {head}
    assert await migrate(database_url) == head


async def test_tokens_of_before_the_api_keep_their_names_and_read(database_url: str) -> None:
    await migrate(database_url, "0004")
    connection = await asyncpg.connect(database_url)
    for role in ("viewer", "compliance", "engineer", "admin"):
        await connection.execute(
            "INSERT INTO tokens (name, sha256, role, principal) VALUES ($1, $2, $1, 'ann')", role, role.encode()
        )
    await migrate(database_url)
    rows = await connection.fetch("SELECT name, role, scopes, operator, expires_at FROM tokens ORDER BY id")
    await connection.close()
    assert [tuple(row) for row in rows] == [
        ("viewer", "viewer", ["read"], None, None),
        ("compliance", "compliance", ["read"], None, None),
        ("engineer", "admin", ["read"], None, None),
        ("admin", "admin", ["read"], None, None),
    ]


async def test_audit_and_evidence_are_append_only(migrated_url: str) -> None:
    connection = await asyncpg.connect(migrated_url)
    await connection.execute("INSERT INTO audit (principal, action, object) VALUES ('a', 'b', 'c')")
    for statement in ("UPDATE audit SET principal = 'x'", "DELETE FROM audit", "TRUNCATE audit",
                      "UPDATE evidence SET kind = 'x'", "DELETE FROM evidence"):  # fmt: skip
        with pytest.raises(asyncpg.RaiseError, match="append-only"):
            await connection.execute(statement)
    await connection.close()


async def test_ranges_of_equal_length_exclude_each_other_in_numbers_and_validity(migrated_url: str) -> None:
    insert = (
        "INSERT INTO number_ranges (id, first, last, operator, trunks, egress, outbound, inbound, purposes, "
        "certificate, filing, state, numbers, validity) VALUES "
        "($1, 'f', 'l', 'o', '{}', '{}', true, true, '{}', '', '', 'enabled', $2::text::int8range, "
        "$3::text::tstzrange)"
    )
    connection = await asyncpg.connect(migrated_url)
    await connection.execute(
        "INSERT INTO operators (id, number, name, operator_class, state) VALUES ('o', 1, 'O', 'c', 'active')"
    )
    await connection.execute(insert, "a", "[100,199]", "[2024-01-01,2025-01-01)")
    await connection.execute(insert, "b", "[100,199]", "[2025-01-01,)")
    await connection.execute(insert, "c", "[200,299]", "[2024-01-01,)")
    with pytest.raises(asyncpg.ExclusionViolationError):
        await connection.execute(insert, "d", "[150,250]", "[2026-01-01,2026-02-01)")
    await connection.close()
