"""Real servers for tests: a PostgreSQL per session with a fresh database per test, a Redis per test.

Import the fixtures in a conftest (`tests/integration/conftest.py` does):

- `postgres_server`: the session's `EmbeddedPostgres` (do not stop it; start one of your own to kill);
- `database_url`: an empty database of its own;
- `migrated_url`: a database of its own, at the newest schema (cloned from a template, about 50 ms);
- `redis_server`: a private `EmbeddedRedis`, free to be flushed, stopped, killed;
- `redis_url`: its URL.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from gateway.store.embedded.postgres import EmbeddedPostgres
from gateway.store.embedded.redis import EmbeddedRedis

TEMPLATE = "migrated_template"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    """One PostgreSQL for the whole session."""
    state = Path(tempfile.mkdtemp(prefix="cgpg-"))
    server = EmbeddedPostgres(state, durable=False)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(state, ignore_errors=True)


async def execute(server: EmbeddedPostgres, *statements: str) -> None:
    """Run statements (no parameters) in the server's main database, each on its own."""
    connection = await asyncpg.connect(server.url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture
async def database_url(postgres_server: EmbeddedPostgres) -> AsyncIterator[str]:
    """An empty database."""
    name = f"test_{next(_numbers)}"
    await execute(postgres_server, f"CREATE DATABASE {name}")
    yield postgres_server.database_url(name)
    await execute(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def migrated_url(postgres_server: EmbeddedPostgres, _template: str) -> AsyncIterator[str]:
    """A database at the newest schema."""
    name = f"test_{next(_numbers)}"
    await execute(postgres_server, f"CREATE DATABASE {name} TEMPLATE {_template}")
    yield postgres_server.database_url(name)
    await execute(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def _template(postgres_server: EmbeddedPostgres) -> str:
    """The migrated template, made once per server."""
    if not hasattr(postgres_server, "_callgate_template"):
        from gateway.store.sql.migrate import migrate

        await execute(postgres_server, f"CREATE DATABASE {TEMPLATE}")
        await migrate(postgres_server.database_url(TEMPLATE))
        postgres_server._callgate_template = True  # type: ignore[attr-defined]
    return TEMPLATE


@pytest.fixture
def redis_server() -> Iterator[EmbeddedRedis]:
    """A Redis of the test's own."""
    state = Path(tempfile.mkdtemp(prefix="cgredis-"))
    server = EmbeddedRedis(state)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(state, ignore_errors=True)


@pytest.fixture
def redis_url(redis_server: EmbeddedRedis) -> str:
    """URL of the test's own Redis."""
    return redis_server.url
