"""Real servers for every integration test (see tests/support/servers.py), and an engine on a database of its own."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.store.sql.engine import make_engine
from tests.support.redis_view import View
from tests.support.servers import (
    _template,
    database_url,
    migrated_url,
    postgres_server,
    redis_server,
    redis_url,
)

__all__ = ["_template", "database_url", "migrated_url", "postgres_server", "redis_server", "redis_url"]


@pytest.fixture
async def engine(migrated_url: str) -> AsyncIterator[AsyncEngine]:
    """One connection to a migrated, empty database."""
    engine = make_engine(migrated_url, pool_size=1)
    yield engine
    await engine.dispose()


@pytest.fixture
async def view(redis_url: str) -> AsyncIterator[View]:
    """The test's Redis, as a worker sees it."""
    made = View(redis_url)
    yield made
    await made.client.aclose()
