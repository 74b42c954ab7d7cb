"""How the projector looks at Redis while nothing happens: one small command over a link of its own.

A look costs a twentieth of what reading the head through the client does, so it can be had often: a Redis that was
flushed, exchanged or taken over is noticed within a quarter of a second. The heartbeat goes along with it. It says
"look closely" or nothing: what is wrong with Redis is told by whoever does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from gateway.control.redis_writer import FENCE_KEY, SHARD, Head
from gateway.store.redis import layout
from gateway.store.redis.address import command
from gateway.store.redis.client import RedisLink
from gateway.store.redis.connection import Replies

# The heartbeat is fenced as every write is. A missing value is `false` to Lua and null in the answer.
_LOOK: Final = b"""\
local h = redis.call('HMGET', KEYS[1], '%b', '%b', '%b', '%b')
local f = redis.call('GET', KEYS[2])
if ARGV[3] ~= '' and f == ARGV[1] and h[2] == ARGV[2] then redis.call('HSET', KEYS[1], '%b', ARGV[3]) end
return {h[1], h[2], h[3], h[4], f, redis.call('GET', KEYS[3]), redis.call('EXISTS', KEYS[4])}""" % (
    layout.HEAD_REGISTRY, layout.HEAD_EPOCH, layout.HEAD_BUCKETS, layout.HEAD_KEYCHECK, layout.HEAD_UPDATED,
)  # fmt: skip


class Glance:
    """Runs while its projector holds the lock."""

    def __init__(self, url: str, token: bytes) -> None:
        """`token`: the fence's, of the projector's own writer."""
        self._token = token
        self._link = RedisLink(url)
        self._running = asyncio.ensure_future(self._link.run())

    async def close(self) -> None:
        """Drop the link."""
        self._running.cancel()
        await asyncio.wait((self._running,))

    async def same(self, head: Head, beat: bool) -> bool:
        """Whether Redis still says all that `head` does, and the fence is ours. `beat`: tell others, in the head, that
        we looked now. False too where the link has no answer: the client, which waits longer, has to look."""
        keys = (
            layout.HEAD_KEY, FENCE_KEY, layout.watermark_key(head.epoch, SHARD), layout.registry_key(head.registry),
        )  # fmt: skip
        epoch, now = b"%d" % head.epoch, b"%d" % int(time.time()) if beat else b""
        found = await self._ask(command(b"EVAL", _LOOK, b"4", *keys, self._token, epoch, now), 1)
        watermark = layout.encode_watermark(*head.watermark) if head.watermark is not None else None
        wanted = [
            b"%d" % head.registry, epoch, b"%d" % head.buckets, head.key_check or None, self._token, watermark, 1,
        ]  # fmt: skip
        return found == [wanted]

    async def wrong_buckets(self, epoch: int, buckets: Sequence[int]) -> list[int]:
        """Which of `buckets` are seen to lack the marker of `epoch` in one of their keys."""
        value, member = layout.marker_value(epoch), layout.marker_member(epoch)
        commands = []
        for bucket in buckets:
            commands.append(command(b"HGET", layout.consents_key(epoch, bucket), layout.MARKER_FIELD))
            commands.append(command(b"SISMEMBER", layout.refusals_key(epoch, bucket), member))
            commands.append(command(b"HGET", layout.scoped_key(epoch, bucket), layout.MARKER_FIELD))
        # A key of another type is a wrong one: its answer is an error, which equals no marker.
        found = await self._ask(b"".join(commands), len(commands))
        if found is None:
            return []
        whole = [value, 1, value]
        return [bucket for place, bucket in enumerate(buckets) if found[3 * place : 3 * place + 3] != whole]

    async def _ask(self, commands: bytes, replies: int) -> Replies | None:
        answered: asyncio.Future[Replies | None] = asyncio.get_running_loop().create_future()

        def settle(found: Replies | None) -> None:
            if not answered.done():
                answered.set_result(found)

        return await answered if self._link.send(commands, replies, settle) else None
