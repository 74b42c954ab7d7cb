"""Brings a database to the newest schema: Alembic run from code, its scripts inside this package."""

from __future__ import annotations

from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from gateway.store.sql.engine import make_engine

SCRIPTS = Path(__file__).parent / "migrations"
HEAD = "head"
LOCK = 0x63676D69
"""Advisory lock (`cgmi`): of several nodes that start at once, one migrates, the others find it done."""


def script_directory() -> ScriptDirectory:
    """The migration scripts."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


async def migrate(url: str, target: str = HEAD) -> str:
    """Upgrade the database at `url` to a revision, the newest, and return it. Each revision is one transaction."""
    engine = make_engine(url, pool_size=1)
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
            await connection.commit()
            try:
                return await connection.run_sync(_upgrade, target)
            finally:
                await connection.rollback()
                await connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})
                await connection.commit()
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, target: str) -> str:
    scripts = script_directory()
    reached = (scripts.get_current_head() or "") if target == HEAD else target

    def steps(revision: object, _: MigrationContext) -> list[RevisionStep]:
        return scripts._upgrade_revs(target, revision)  # type: ignore[arg-type]

    with EnvironmentContext(Config(), scripts, fn=steps, destination_rev=target) as environment:
        environment.configure(connection=connection, transaction_per_migration=True)
        with environment.begin_transaction():
            environment.run_migrations()
    connection.commit()
    return reached
