"""What Redis tells of keys: which ones each worker holds, and which one every shard is hashed with."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Final

from redis.exceptions import RedisError

from gateway.control.redis_writer import RedisWriter, client_of
from gateway.control.shards import Shard, Shards
from gateway.keys import Keys
from gateway.store.ports import Unavailable
from gateway.store.redis.held_keys import FORGET_S, REPORTS, SILENT_S, Report, read_reports
from gateway.store.redis.names import place_tags

FIND_S: Final = 3.0
"""For the cluster or the Sentinels to say who is there."""


@dataclass(frozen=True, slots=True)
class Nodes:
    """All of it, now. `heads`: by shard, the check of its pseudonym key (hex), empty where it has no data set;
    `workers`: by name; `silent`: names of those who have not been heard of lately, with seconds."""

    heads: dict[str, str]
    workers: dict[str, Report]
    silent: dict[str, float]

    def lacking(self, keys: Keys) -> list[str]:
        """Workers that do not hold the newest keys."""
        pseudonym, seal = keys.pseudonyms[0].check.hex(), keys.seals[0].check.hex()
        return sorted(
            name
            for name, report in self.workers.items()
            if pseudonym not in report.pseudonym or seal not in report.seal
        )

    def not_using(self, check: bytes) -> list[str]:
        """Shards and workers that do not use a pseudonym key yet."""
        text = check.hex()
        shards = [f"redis {name}" for name, found in self.heads.items() if found != text]
        return sorted(shards) + sorted(name for name, report in self.workers.items() if report.in_use != text)


async def look(url: str) -> Nodes:
    """Ask them all. Raises Unavailable, BadAddress."""
    async with Shards(url) as shards:
        deadline = time.monotonic() + FIND_S
        while not shards.now() or (shards.clustered and _places(shards.now()) < len(place_tags())):
            if time.monotonic() > deadline:
                raise Unavailable(f"redis: {shards.down_reason or 'no master is known'}")
            await asyncio.sleep(0.05)
        try:
            return await _ask(shards.now(), shards.clustered)
        except (RedisError, OSError) as error:
            raise Unavailable(f"redis: {error}") from error


def _places(shards: list[Shard]) -> int:
    return sum(len(shard.places) for shard in shards)


async def _ask(shards: list[Shard], clustered: bool) -> Nodes:
    heads: dict[str, str] = {}
    found: dict[Any, Any] = {}
    for shard in shards:
        writer = RedisWriter(shard, b"", b"")
        try:
            head = await writer.read_head()
        finally:
            await writer.close()
        heads[str(shard)] = head.key_check.decode() if head is not None else ""
        if not clustered or 0 in shard.places:
            client = client_of(shard.address)
            try:
                key = b"%s:{%s}" % (REPORTS, place_tags()[0]) if clustered else REPORTS
                found = await client.hgetall(key)
            finally:
                await client.aclose()
    now = time.time()
    reports = {name: one for name, one in read_reports(found).items() if now - one.at < FORGET_S}
    silent = {name: now - one.at for name, one in reports.items() if now - one.at > SILENT_S}
    return Nodes(heads, {name: one for name, one in reports.items() if name not in silent}, silent)
