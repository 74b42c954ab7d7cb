"""The projector's housekeeping, a little with each look: markers looked at, old keys cleared away, the
outbox and what is kept of lists trimmed."""

from __future__ import annotations

import logging
import time
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.control.glance import Glance
from gateway.control.rebuild import repair_bucket
from gateway.control.redis_writer import Head, RedisWriter
from gateway.store.redis.names import place_buckets
from gateway.store.sql import outbox, projected, versions

SWEEP_LOOKS = 240
"""All buckets are looked at within so many steps: a minute at 250 ms each."""
SWEEP_MIN = 64
"""Buckets looked at in a step at least: all of a small data set at once."""
SWEEP_OLD_S = 5.0
"""Keys of an old epoch stay this long after a switch: workers learn of it within 200 ms."""
TRIM_S = 3_600.0

_log = logging.getLogger("callgate.projector")


class Sweeper:
    """Goes round and round a shard while its projector holds the lock."""

    def __init__(self, engine: AsyncEngine, writer: RedisWriter) -> None:
        self._engine = engine
        self._writer = writer
        self._bucket = 0
        self._scan = 0
        self._scan_at = 0.0
        self._trim_at = 0.0

    def switched(self) -> None:
        """The head names a new epoch or registry version: what is older goes soon."""
        self._scan, self._scan_at = 0, time.monotonic() + SWEEP_OLD_S

    async def step(self, connection: AsyncConnection, raw: Any, head: Head, glance: Glance) -> int:
        """One look's share; how many buckets were repaired. `raw` is the driver's connection under
        `connection`."""
        repaired = await self._markers(connection, raw, head, glance)
        now = time.monotonic()
        if self._scan_at and now >= self._scan_at:
            self._scan = await self._writer.sweep_old(self._scan, head.epoch, head.registry)
            self._scan_at = now if self._scan else 0.0
        if now >= self._trim_at and head.watermark:
            self._trim_at = now + TRIM_S
            async with self._engine.begin() as trimming:
                await outbox.trim(trimming, head.watermark[0])
                await versions.trim_if_free(trimming)
        return repaired

    async def _markers(self, connection: AsyncConnection, raw: Any, head: Head, glance: Glance) -> int:
        places = self._writer.shard.places
        buckets = place_buckets(places, head.buckets) if places else range(head.buckets)
        size = min(len(buckets), max(SWEEP_MIN, len(buckets) // SWEEP_LOOKS))
        share = [buckets[(self._bucket + step) % len(buckets)] for step in range(size)]
        self._bucket = (self._bucket + size) % len(buckets)
        wrong = await glance.wrong_buckets(head.names, share)
        if wrong:
            purposes = await projected.purpose_numbers(connection)
            async with raw.transaction():
                for bucket in wrong:
                    await repair_bucket(raw, self._writer, head, bucket, purposes)
            _log.warning("repaired %d buckets that had lost their markers", len(wrong))
        return len(wrong)
