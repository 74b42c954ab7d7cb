"""A database with the example's registry in it, and the keys that go with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.importer import ImportReport, import_registry
from gateway.control.importer.problems import Problems
from gateway.control.importer.registry import Terms, import_on
from gateway.control.importer.registry_file import read_registry_file
from gateway.control.two_persons import By
from gateway.gate.pseudonym import Pseudonymizer
from gateway.keys import Key, Keys
from gateway.store.sql.engine import make_engine, mapped_errors

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "config" / "example"
KEYS = Keys(*((Key(1, bytes([number]) * 32),) for number in (1, 2, 3)))
ALICE = "+8613800138000"
BOB = "+8613800138001"
CAROL = "+8613900139000"


def hash_of(number: str) -> bytes:
    """Keyed hash under KEYS."""
    return Pseudonymizer(KEYS.pseudonym).hash(number)


@asynccontextmanager
async def engine_on(url: str, *, registry: bool = True) -> AsyncIterator[AsyncEngine]:
    """An engine on a migrated database; by default the example's registry is imported first."""
    engine = make_engine(url)
    try:
        if registry:
            await import_example_registry(engine)
        yield engine
    finally:
        await engine.dispose()


async def import_example_registry(engine: AsyncEngine) -> None:
    """The example's registry, without pack, consents and refusals."""
    path = EXAMPLE / "registry.toml"
    await import_registry(engine, path.read_text(encoding="utf-8"), str(path), "test")


async def import_agreed(engine: AsyncEngine, text: str, name: str) -> ImportReport:
    """A registry file that lets more calls out than before, as two agreed."""
    problems = Problems(name)
    file = read_registry_file(text, Path(), problems)
    problems.check()
    with mapped_errors():
        async with engine.begin() as connection:
            return await import_on(connection, file, name, By("test", "as agreed", "head"), Terms())


async def count(engine: AsyncEngine, table: str) -> int:
    """Rows of a table."""
    async with engine.connect() as connection:
        return int((await connection.exec_driver_sql(f"SELECT count(*) FROM {table}")).scalar_one())


async def stored(engine: AsyncEngine) -> list[tuple[str, int]]:
    """Journal and number of every evidence record there is, in order."""
    async with engine.connect() as connection:
        rows = await connection.execute(text("SELECT journal, seq FROM evidence ORDER BY journal, seq"))
        return [(row[0], row[1]) for row in rows]


async def staging_tables(engine: AsyncEngine) -> int:
    """Staging tables of imports that are there."""
    return await count(engine, "pg_class WHERE relname LIKE 'staged%' AND relkind = 'r'")
