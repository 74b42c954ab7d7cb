"""What is exported makes the same registry in an empty database, and changes nothing where it came from."""

from __future__ import annotations

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.exporter import registry_toml
from gateway.control.importer import bootstrap, import_pack, import_registry
from gateway.registry.model import Snapshot
from gateway.store.embedded.postgres import EmbeddedPostgres
from gateway.store.sql.engine import make_engine
from gateway.store.sql.migrate import migrate
from gateway.store.sql.registry import load_snapshot, purpose_titles
from tests.support.database import EXAMPLE, KEYS, ROOT, engine_on


async def stored(engine: AsyncEngine) -> tuple[Snapshot, dict[str, str]]:
    async with engine.connect() as connection:
        return await load_snapshot(connection), await purpose_titles(connection)


async def test_export_into_an_empty_database(migrated_url: str, postgres_server: EmbeddedPostgres) -> None:
    first = make_engine(migrated_url)
    await bootstrap(first, KEYS, EXAMPLE)
    before, titles = await stored(first)
    text = registry_toml(before, titles)
    report = await import_registry(first, text, "export.toml", "test")
    assert (report.changed, report.version, report.hint) == (0, before.version, ""), "says what is stored: no version"
    await first.dispose()

    connection = await asyncpg.connect(postgres_server.url)
    await connection.execute("CREATE DATABASE emptied")
    try:
        await migrate(postgres_server.database_url("emptied"))
        second = make_engine(postgres_server.database_url("emptied"))
        report = await import_registry(second, text, "export.toml", "test")
        assert report.hint == "no rule pack imported: callgate import pack FILE"
        pack = (ROOT / "config/packs/example.toml").read_text()
        assert (await import_pack(second, pack, "example.toml", "test")).hint == ""
        after, same_titles = await stored(second)
        await second.dispose()
        assert (after, same_titles) == (before, titles)
    finally:
        await connection.execute("DROP DATABASE emptied WITH (FORCE)")
        await connection.close()


async def test_titles_and_plan_count_as_changes_and_a_missing_title_changes_nothing(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        kept = await import_registry(engine, '[[purpose]]\nname = "consultation"\n', "r.toml", "test")
        assert (kept.changed, kept.version) == (0, 1)
        titled = await import_registry(engine, '[[purpose]]\nname = "consultation"\ntitle = "x"\n', "r.toml", "test")
        assert (titled.changed, titled.version) == (1, 2)
        zone = await import_registry(engine, '[plan]\nfile = "cn"\nzone = "Asia/Urumqi"\n', "r.toml", "test")
        assert (zone.changed, zone.version) == (1, 3)


async def test_a_pack_without_a_registry_says_so(migrated_url: str) -> None:
    async with engine_on(migrated_url, registry=False) as engine:
        pack = (ROOT / "config/packs/example.toml").read_text()
        report = await import_pack(engine, pack, "example.toml", "test")
        assert report.hint == "no registry imported: callgate import registry FILE"
