"""Redis as a worker sees it, and changes that are to show up there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import redis.asyncio
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.importer import (
    grant_consent,
    revoke_consent,
)
from gateway.store.ports import ScopedRefusal
from gateway.store.redis import layout
from tests.support.database import ALICE, KEYS, hash_of


class View:
    """Redis as a worker sees it, by the layout alone."""

    def __init__(self, url: str) -> None:
        self.client: Any = redis.asyncio.Redis.from_url(url, socket_timeout=2.0)

    async def head(self) -> dict[bytes, int]:
        found = await self.client.hgetall(layout.HEAD_KEY)
        return {key: int(value) for key, value in found.items() if key != layout.HEAD_KEYCHECK}

    async def place(self, number: str) -> tuple[int, int]:
        head = await self.head()
        return head[layout.HEAD_EPOCH], layout.bucket_of(hash_of(number), head[layout.HEAD_BUCKETS])

    async def consent(self, number: str) -> str:
        """The consent's state, or `unavailable`."""
        try:
            epoch, bucket = await self.place(number)
        except KeyError:
            return "unavailable"
        marker, value = await self.client.hmget(
            layout.consents_key(epoch, bucket), [layout.MARKER_FIELD, layout.consent_field(hash_of(number), 1, 1)]
        )
        return "unavailable" if marker != layout.marker_value(epoch) else layout.decode_consent(value, time.time())

    async def refuses(self, number: str, category: int = layout.REFUSES_ALL) -> bool:
        epoch, bucket = await self.place(number)
        member = layout.refusal_member(hash_of(number), category).decode()
        return bool(await self.client.sismember(layout.refusals_key(epoch, bucket), member))

    async def scoped(self, number: str) -> tuple[ScopedRefusal, ...]:
        epoch, bucket = await self.place(number)
        return layout.decode_scoped(
            await self.client.hget(layout.consents_key(epoch, bucket), layout.scoped_field(hash_of(number)))
        )

    async def has_scoped(self, number: str, wanted: tuple[ScopedRefusal, ...]) -> bool:
        return await self.scoped(number) == wanted

    async def is_consent(self, number: str, state: str) -> bool:
        return await self.consent(number) == state


async def until(condition: Callable[[], object], within_s: float = 5.0) -> None:
    """Wait for a condition (plain or awaitable)."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
        except (RedisError, OSError, KeyError):
            pass
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.01)


async def grant(engine: AsyncEngine, number: str = ALICE) -> None:
    await grant_consent(engine, KEYS, number, "alpha", "consultation", principal="test")


async def revoke(engine: AsyncEngine, number: str = ALICE) -> None:
    await revoke_consent(engine, KEYS, number, "alpha", "consultation", principal="test")
