"""Writes to the projection in Redis, fenced: a projector that has been replaced cannot write any more.

Whoever holds the SQL lock puts its token into `cg:projector` first. Every write goes through a transaction
that watches that key and the head, so a projector that was stopped for a while and goes on cannot put back
what is out of date."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import WatchError

from gateway.store.redis import layout

FENCE_KEY = b"cg:projector"
SHARD = "0"
"""The one shard of a single Redis; its watermark is kept in it."""
SOCKET_S = 5.0


class FenceLost(Exception):
    """Another projector has taken over, or the data set was switched or flushed under our hands."""


@dataclass(frozen=True, slots=True)
class Head:
    """What `cg:head`, the watermark and the fence say."""

    registry: int
    epoch: int
    buckets: int
    updated: int
    watermark: tuple[int, int] | None
    has_blob: bool
    """The registry blob the head names is there."""
    ours: bool
    """The fence holds our token."""
    key_check: bytes = b""
    """Of the pseudonym key the data set was made with; empty where the head does not say."""


class RedisWriter:
    """One projector's hand on Redis."""

    def __init__(self, url: str, key_check: bytes = b"") -> None:
        """`key_check`: `layout.key_check` of the pseudonym key, which the head tells the workers."""
        self.key_check = key_check
        # No retries inside the client: the projector tries again itself, from the head.
        self.client: Redis = Redis.from_url(
            url, socket_timeout=SOCKET_S, socket_connect_timeout=SOCKET_S, retry=Retry(NoBackoff(), 0)
        )
        self.token = secrets.token_hex(16).encode()
        """What the fence holds while it is ours."""

    async def close(self) -> None:
        """Drop the connections."""
        await self.client.aclose()

    async def take_fence(self) -> None:
        """Shut out whoever projected before."""
        await self.client.set(FENCE_KEY, self.token)

    def head_fields(self, registry: int, epoch: int, buckets: int) -> dict[Any, Any]:
        """Fields of the head, written now."""
        return dict(layout.encode_head(registry, epoch, buckets, time.time(), self.key_check))

    async def read_head(self) -> Head | None:
        """The state of the data set, or None where there is no whole head."""
        found = await self._all(
            lambda pipe: pipe.hmget(
                layout.HEAD_KEY,
                [
                    layout.HEAD_REGISTRY,
                    layout.HEAD_EPOCH,
                    layout.HEAD_BUCKETS,
                    layout.HEAD_UPDATED,
                    layout.HEAD_KEYCHECK,
                ],
            ),
            lambda pipe: pipe.get(FENCE_KEY),
        )
        try:
            *numbers, key_check = found[0]
            registry, epoch, buckets, updated = (int(value) for value in numbers)
        except (TypeError, ValueError):
            return None
        fence = found[1]
        found = await self._all(
            lambda pipe: pipe.get(layout.watermark_key(epoch, SHARD)),
            lambda pipe: pipe.exists(layout.registry_key(registry)),
        )
        try:
            watermark = layout.decode_watermark(found[0]) if found[0] is not None else None
        except ValueError:
            watermark = None
        ours = fence == self.token
        return Head(registry, epoch, buckets, updated, watermark, bool(found[1]), ours, key_check or b"")

    async def guarded(self, head: Head | None, fill: Callable[[Any], None]) -> None:
        """Send what `fill` puts into the pipeline as one transaction, if the fence holds and Redis still
        has the epoch and watermark of `head` (None: the fence alone). Raises FenceLost.

        The watermark is looked at because a failover to a stale replica rolls it back together with the
        data: moving it on from there would hide what was lost."""
        async with self.client.pipeline(transaction=True) as pipe:
            await pipe.watch(FENCE_KEY, layout.HEAD_KEY)
            if await pipe.get(FENCE_KEY) != self.token:
                raise FenceLost("another projector took over")
            if head is not None:
                watermark_key = layout.watermark_key(head.epoch, SHARD)
                await pipe.watch(watermark_key)
                epoch = await pipe.hget(layout.HEAD_KEY, layout.HEAD_EPOCH)
                watermark = await pipe.get(watermark_key)
                if epoch != b"%d" % head.epoch or watermark != layout.encode_watermark(*(head.watermark or (0, 0))):
                    raise FenceLost("the data set in Redis was exchanged")
            pipe.multi()  # type: ignore[no-untyped-call]
            fill(pipe)
            try:
                await pipe.execute()
            except WatchError:
                raise FenceLost("the data set in Redis changed hands") from None

    async def unguarded(self, commands: Sequence[Callable[[Any], object]]) -> None:
        """Send commands in one pipeline: for keys that nobody reads yet."""
        await self._all(*commands)

    async def publish_registry(self, version: int, blob: bytes) -> None:
        """Put a registry version where workers fetch it; the head is switched by whoever calls."""
        await self.client.set(layout.registry_key(version), blob)

    async def sweep_old(self, cursor: int, epoch: int, registry: int) -> int:
        """One step of clearing away keys of other epochs and old registry versions; the next cursor, 0 at
        the end.

        The version before the current one stays: a worker may be fetching it.
        """
        cursor, keys = await self.client.scan(cursor, match=b"cg:*", count=1_000)
        old = [key for key in keys if isinstance(key, bytes) and _is_old(key, epoch, registry)]
        if old:
            await self.client.unlink(*old)
        return int(cursor)

    async def _all(self, *commands: Callable[[Any], object]) -> list[Any]:
        async with self.client.pipeline(transaction=False) as pipe:
            for command in commands:
                command(pipe)
            return list(await pipe.execute())


def _is_old(key: bytes, epoch: int, registry: int) -> bool:
    parts = key.split(b":", 3)
    if len(parts) < 3:
        return False
    if parts[1] == b"registry":
        return parts[2].isdigit() and int(parts[2]) < registry - 1
    return parts[1].isdigit() and int(parts[1]) != epoch
