"""How the projector looks at a shard while nothing happens: one small command over a link of its own.

A look costs a twentieth of what reading the head through the client does, so it can be had often: a Redis that was
flushed, exchanged or taken over is noticed within a quarter of a second. The heartbeat goes along with it. It says
"look closely" or nothing: what is wrong with Redis is told by whoever does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from gateway.control.redis_writer import Head
from gateway.control.shards import Shard
from gateway.store.redis import layout
from gateway.store.redis.address import command
from gateway.store.redis.connection import Replies
from gateway.store.redis.names import Names
from gateway.store.redis.slots import encode_places

# The heartbeat is fenced as every write is. A missing value is `false` to Lua and null in the answer.
_LOOK: Final = b"""\
local h = redis.call('HMGET', KEYS[1], '%b', '%b', '%b', '%b', '%b')
local f = redis.call('GET', KEYS[2])
if ARGV[3] ~= '' and f == ARGV[1] and h[2] == ARGV[2] then redis.call('HSET', KEYS[1], '%b', ARGV[3]) end
return {h[1], h[2], h[3], h[4], h[5], f, redis.call('GET', KEYS[3]), redis.call('EXISTS', KEYS[4])}""" % (
    layout.HEAD_REGISTRY, layout.HEAD_EPOCH, layout.HEAD_BUCKETS, layout.HEAD_KEYCHECK, layout.HEAD_PLACES,
    layout.HEAD_UPDATED,
)  # fmt: skip


class Glance:
    """Runs while its projector holds the lock."""

    def __init__(self, shard: Shard, token: bytes) -> None:
        """`token`: the fence's, of the projector's own writer."""
        self._token = token
        self._keys = shard.keys
        self._link = shard.link
        self._places = encode_places(shard.places) or None

    async def same(self, head: Head, beat: bool) -> bool:
        """Whether Redis still says all that `head` does, and the fence is ours. `beat`: tell others, in the head, that
        we looked now. False too where the link has no answer: the client, which waits longer, has to look."""
        names = self._keys
        keys = (names.head, names.fence, names.watermark(head.epoch), names.registry(head.registry))
        epoch, now = b"%d" % head.epoch, b"%d" % int(time.time()) if beat else b""
        found = await self._ask(command(b"EVAL", _LOOK, b"4", *keys, self._token, epoch, now), 1)
        watermark = layout.encode_watermark(*head.watermark) if head.watermark is not None else None
        wanted = [
            b"%d" % head.registry, epoch, b"%d" % head.buckets, head.key_check or None, self._places, self._token,
            watermark, 1,
        ]  # fmt: skip
        return found == [wanted]

    async def wrong_buckets(self, names: Names, buckets: Sequence[int]) -> list[int]:
        """Which of `buckets` are seen to lack the marker of their epoch in one of their keys."""
        value, member = layout.marker_value(names.epoch), layout.marker_member(names.epoch)
        commands = []
        for bucket in buckets:
            commands.append(command(b"HGET", names.consents(bucket), layout.MARKER_FIELD))
            commands.append(command(b"SISMEMBER", names.refusals(bucket), member))
        # A key of another type is a wrong one: its answer is an error, which equals no marker.
        found = await self._ask(b"".join(commands), len(commands))
        if found is None:
            return []
        return [bucket for at, bucket in enumerate(buckets) if found[2 * at : 2 * at + 2] != [value, 1]]

    async def _ask(self, commands: bytes, replies: int) -> Replies | None:
        answered: asyncio.Future[Replies | None] = asyncio.get_running_loop().create_future()

        def settle(found: Replies | None) -> None:
            if not answered.done():
                answered.set_result(found)

        return await answered if self._link.send(commands, replies, settle) else None
