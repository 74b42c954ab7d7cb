"""What Callgate's stores hold and need: asked of Redis and PostgreSQL themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import redis

from gateway.store.embedded.servers import Endpoints, read_endpoints
from gateway.store.redis import layout
from tests.bench.subject_callgate import Callgate


@dataclass(frozen=True, slots=True)
class RedisMemory:
    """Bytes: what its data take, and what the process holds."""

    used: int
    resident: int
    keys: int


def endpoints(subject: Callgate) -> Endpoints:
    """Where the stores of a running subject are."""
    found = read_endpoints(subject.gateway.state_dir)
    if found is None:
        raise AssertionError(f"{subject.name} has no servers of its own")
    return found


@contextmanager
def _redis(subject: Callgate) -> Iterator[Any]:
    client = redis.Redis.from_url(endpoints(subject).redis_url)
    try:
        yield client
    finally:
        client.close()


def redis_memory(subject: Callgate) -> RedisMemory:
    """Memory of Redis now."""
    with _redis(subject) as client:
        found = client.info("memory")
        return RedisMemory(int(found["used_memory"]), int(found["used_memory_rss"]), int(client.dbsize()))


def redis_traffic(subject: Callgate) -> tuple[int, int]:
    """(commands, bytes in and out) of Redis so far."""
    with _redis(subject) as client:
        found = client.info("stats")
        moved = int(found["total_net_input_bytes"]) + int(found["total_net_output_bytes"])
        return int(found["total_commands_processed"]), moved


def query(subject: Callgate, statement: str) -> list[Any]:
    """Rows of one statement."""

    async def ask() -> list[Any]:
        connection = await asyncpg.connect(endpoints(subject).database_url)
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    return asyncio.run(ask())


def table_bytes(subject: Callgate, table: str) -> int:
    """A table with its indexes and, where it is partitioned, its partitions."""
    rows = query(
        subject,
        f"SELECT greatest(pg_total_relation_size('{table}'), sum(pg_total_relation_size(relid)))::bigint AS size"
        f" FROM pg_partition_tree('{table}')",
    )
    return int(rows[0]["size"])


def is_projected(subject: Callgate) -> bool:
    """Whether Redis has everything that PostgreSQL has committed."""
    with _redis(subject) as client:
        epoch = int(client.hget(layout.HEAD_KEY, layout.HEAD_EPOCH) or 0)
        found = client.get(layout.watermark_key(epoch, "0"))
    if found is None:
        return False
    xid, row = layout.decode_watermark(found)
    left = query(subject, f"SELECT count(*) AS rows FROM outbox WHERE (xid, id) > ({xid}, {row})")
    return not left[0]["rows"]
