"""What the shards of one projector decide together: when everything is made anew, and how many buckets there are."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.importer.subscriber import FOREIGN_KEY
from gateway.control.rebuild import Rebuilt, rebuild, rebuild_shard
from gateway.control.redis_writer import FenceLost, Head, RedisWriter
from gateway.control.status import ProjectorStatus
from gateway.keys import Keys, KeysError
from gateway.store.ports import Conflict, Unavailable
from gateway.store.redis import layout
from gateway.store.redis.names import PLACES, Names
from gateway.store.sql import dataset, projected

REBUILD_ROWS = 4_096
"""Fewer changed rows than this are always applied one by one."""
NO_HEAD = "Redis holds no data set"
NO_WATERMARK = "the watermark is missing"
TOO_OLD = "Redis is older than the outbox"

_log = logging.getLogger("callgate.projector")


class Rebuildable(Protocol):
    """A shard, as the plan sees it."""

    writer: RedisWriter

    def rebuilt(self, built: Rebuilt) -> None:
        """It was written anew."""


class Plan:
    """One per projector."""

    def __init__(
        self, patient: AsyncEngine, keys: Keys, reread: Callable[[], Keys], token: bytes, status: ProjectorStatus,
        clustered: bool,
    ) -> None:  # fmt: skip
        """`keys`: ours; `reread`: as they are now. `token`: what our fences hold. `patient`: an engine whose statements
        may take minutes."""
        self.key_check = keys.pseudonyms[0].check.hex().encode()
        """Of the pseudonym key in force, as the heads say it."""
        self.token = token
        self._reread = reread
        self.shards: Sequence[Rebuildable] = ()
        """Those there are now."""
        self._patient = patient
        self._status = status
        self._clustered = clustered
        self._lock = asyncio.Lock()
        self._entries = -1
        self._compact = layout.COMPACT_ENTRIES

    def follow_key(self, check: bytes | None) -> None:
        """The stored numbers are hashed with the key of this check (None: there are none). Raises Conflict where we
        have no such key, so that nobody would be found under the hashes our workers ask for."""
        if check is None or check.hex().encode() == self.key_check:
            return
        try:
            keys = self._reread()
        except (KeysError, OSError) as error:
            raise Unavailable(str(error)) from error
        if keys.using(check) is None:
            raise Conflict(FOREIGN_KEY)
        self.key_check = check.hex().encode()

    def forget(self) -> None:
        """The lock was taken anew: others may have changed anything meanwhile."""
        self._entries = -1

    def grown(self, entries: int) -> None:
        """So many rows more were written, at most."""
        self._entries += entries

    async def changed(self, raw: Any, changes: list[int], head: Head) -> str:
        """Why a rebuild is better than applying these outbox rows; empty: it is not. It takes effect at once, with a
        fitting bucket count."""
        if self._entries < 0:
            self._entries = await projected.estimated_entries(raw)
        limit = max(self._entries, REBUILD_ROWS)
        count = await projected.changed_count(raw, changes, limit)
        if count >= limit:
            return "more has changed than stays"
        if layout.overfull(self._entries + count, head.buckets, self._compact):
            return "the buckets are too full"
        return ""

    async def rebuild(self, shard: Rebuildable, raw: Any, head: Head | None, why: str) -> None:
        """Write `shard` anew, or all of them where the data set as a whole has to change. Only one at a time: a shard
        that waited may find that it is right again."""
        async with self._lock:
            now = await shard.writer.read_head()
            look = await dataset.look(raw, *(now.watermark if now and now.watermark else (0, 0)))
            self.follow_key(look.data.key_check)
            found = distrust(now, look, self.key_check)
            stood = head is not None and now is not None and (now.epoch, now.watermark) == (head.epoch, head.watermark)
            if not found and not stood:
                return
            why = found or why
            began = time.monotonic()
            self._status.rebuilding = True
            try:
                if self._alone(now, look, found):
                    names = Names(look.data.epoch, look.data.buckets, True)
                    _log.warning("rebuilding redis %s: %s", shard.writer.shard, why)
                    shard.writer.key_check = self.key_check
                    await shard.writer.take_fence()
                    shard.rebuilt(await rebuild_shard(self._patient, shard.writer, names))
                else:
                    _log.warning("rebuilding the projection: %s", why)
                    await self._rebuild_all(now)
            finally:
                self._status.rebuilding = False
            self._status.rebuilds += 1
            _log.info("rebuilt in %.2f s", time.monotonic() - began)

    def _alone(self, head: Head | None, look: dataset.Look, why: str) -> bool:
        """Whether this shard can be written under the data set in force. Not where the reason is the data set's."""
        data = look.data
        usable = self._clustered and data.epoch > 0 and data.buckets >= PLACES and data.buckets % PLACES == 0
        return usable and (why in (NO_HEAD, NO_WATERMARK, TOO_OLD) or (head is not None and head.epoch < data.epoch))

    async def _rebuild_all(self, head: Head | None) -> None:
        shards = list(self.shards)
        fenced: list[Rebuildable] = []
        failure: BaseException | None = None
        results = await asyncio.gather(*[one.writer.take_fence() for one in shards], return_exceptions=True)
        for shard, result in zip(shards, results, strict=True):
            if result is None:
                fenced.append(shard)
            else:
                failure = result
        if not fenced:
            raise failure or FenceLost("no shard is there")
        for one in fenced:
            one.writer.key_check = self.key_check
        self._compact = min([await one.writer.compact_entries() for one in fenced])
        built = await rebuild(
            self._patient, [one.writer for one in fenced], head.epoch if head else 0, self._compact
        )  # fmt: skip
        self._entries = built.entries
        for shard in fenced:
            shard.rebuilt(built)
        for reason in built.failed:
            _log.warning("redis %s was left behind", reason)


def distrust(head: Head | None, look: dataset.Look, key_check: bytes) -> str:
    """Why a shard cannot be believed; empty: it can."""
    data = look.data
    if head is None:
        return NO_HEAD
    if (head.epoch, head.buckets) != (data.epoch, data.buckets):
        return f"Redis holds epoch {head.epoch}, not {data.epoch}"
    if head.key_check not in (b"", key_check):
        return "Redis holds a data set made with another pseudonym key"
    if head.watermark is None:
        return NO_WATERMARK
    if head.watermark[0] < data.outbox_floor:
        return TOO_OLD
    if head.watermark[0] >= look.next_xid:
        return "Redis is ahead of the database: another database, or one restored from a copy"
    return ""
