"""Real servers for every integration test (see tests/support/servers.py)."""

from tests.support.servers import (
    _template,
    database_url,
    migrated_url,
    postgres_server,
    redis_server,
    redis_url,
)

__all__ = ["_template", "database_url", "migrated_url", "postgres_server", "redis_server", "redis_url"]
