"""What the projection takes in Redis's memory, and that buckets stay in the compact encodings."""

from __future__ import annotations

import random
from typing import Any

import pytest
import redis

from gateway.control.rebuild import bucket_commands, bucket_range
from gateway.control.redis_writer import RedisWriter
from gateway.control.shards import Shard
from gateway.store.redis import layout
from gateway.store.redis.client import RedisLink
from gateway.store.redis.names import SINGLE
from gateway.store.sql.projected import ConsentRow, RefusalRow
from tests.support.redis_fixtures import redis_process
from tests.support.redis_server import RedisServer

__all__ = ["redis_process"]

ENTRIES = 400_000
BATCH = 50


@pytest.mark.parametrize(("kind", "limit"), [("consents", 30.0), ("refusals", 10.0)])
async def test_bytes_of_an_entry(redis_process: RedisServer, kind: str, limit: float) -> None:
    """The empty half of each bucket and all of Redis's own overhead included."""
    link = RedisLink(redis_process.url)
    writer = RedisWriter(Shard(link.address, SINGLE, link=link), b"", b"token")
    names = SINGLE.names(1, layout.choose_buckets(ENTRIES))
    chance = random.Random(1)
    with redis_process.client() as client:
        before = _used(client)
        written = 0
        for first in range(0, names.buckets, BATCH):
            commands = []
            for bucket in range(first, min(first + BATCH, names.buckets)):
                count = round(chance.gauss(ENTRIES / names.buckets, (ENTRIES / names.buckets) ** 0.5))
                low = bucket_range(bucket, names.buckets)[0]
                hashes = [low[:2] + chance.randbytes(6) for _ in range(count)]
                consents = [ConsentRow(one, chance.randrange(1, 99), 1, True, 1.8e9, None) for one in hashes]
                refusals = [RefusalRow(one, "all", "", True) for one in hashes]
                kept = (consents, []) if kind == "consents" else ([], refusals)
                commands += bucket_commands(names, bucket, *kept, {})
                written += count
            await writer.plain(commands)
        used = (_used(client) - before) / written
        assert used <= limit, f"{used:.2f} bytes"
        encodings = {client.object("encoding", names.consents(bucket)) for bucket in range(names.buckets)}
        assert encodings <= {b"ziplist", b"listpack"}
        assert {client.object("encoding", names.refusals(bucket)) for bucket in range(names.buckets)} == {b"intset"}
    await writer.close()


def _used(client: redis.Redis) -> int:
    """Without the buffers of the connections, which weigh something only because a test's data are few."""
    memory: Any = client.info("memory")
    return int(memory["used_memory"] - memory["mem_clients_normal"])
