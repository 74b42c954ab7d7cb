"""Writes to the projection in one shard, fenced: a projector that has been replaced cannot write any more.

Whoever holds the SQL lock puts its token into the fence first. Every write to what is read is a script that looks at
the fence before it writes, so a projector that was stopped for a while and goes on cannot put back what is out of
date. In a cluster a script reaches one slot: there each place has a fence of its own."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from gateway.control.publishing import Publication
from gateway.control.shards import Shard
from gateway.store.redis import layout
from gateway.store.redis.address import RedisAddress
from gateway.store.redis.names import Names, ShardKeys, place_of, place_tags
from gateway.store.redis.publication import Published, decode_published
from gateway.store.redis.slots import decode_places, encode_places

SOCKET_S = 5.0
MIN_COMPACT = 64
"""A server whose compact encodings take fewer entries than this is treated as if they took as many."""

Command = tuple[bytes | str | int, ...]
"""A command of Redis: its name, its key, what else it says."""
Change = tuple[int, Command]
"""A bucket, and a command on one of its keys."""

_FENCED: Final = "FENCED"
_EXCHANGED: Final = "EXCHANGED"

# KEYS: fence, head, watermark, then the keys written. ARGV: token, epoch and watermark ("" = not looked at), then each
# command as the number of its words and the words.
_SCRIPT: Final = f"""\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return redis.error_reply('{_FENCED}') end
if ARGV[2] ~= '' and (redis.call('HGET', KEYS[2], 'epoch') ~= ARGV[2] or redis.call('GET', KEYS[3]) ~= ARGV[3]) then
  return redis.error_reply('{_EXCHANGED}')
end
local at = 4
while at <= #ARGV do
  local words = tonumber(ARGV[at])
  redis.call(unpack(ARGV, at + 1, at + words))
  at = at + words + 1
end
return 1"""
MAX_WORDS: Final = 4_000
"""Of one command: Lua's `unpack` has room for 8,000."""


class FenceLost(Exception):
    """Another projector has taken over, or the data set was switched or flushed under our hands."""


@dataclass(frozen=True, slots=True)
class Head:
    """What the head, the watermark and the fence of a shard say."""

    registry: int
    epoch: int
    buckets: int
    updated: int
    watermark: tuple[int, int] | None
    has_blob: bool
    """The registry blob the head names is there."""
    ours: bool
    """The fence holds our token."""
    names: Names
    """Of its buckets."""
    key_check: bytes = b""
    """Of the pseudonym key the data set was made with; empty where the head does not say."""
    places: frozenset[int] = frozenset()
    """In a cluster: the places whose buckets were written to this shard."""


class RedisWriter:
    """One projector's hand on one shard."""

    def __init__(self, shard: Shard, key_check: bytes, token: bytes) -> None:
        """`key_check`: `layout.key_check` of the pseudonym key, which the head tells the workers. `token`: what the
        fence holds while it is ours; one per projector."""
        self.shard = shard
        self.keys: ShardKeys = shard.keys
        self.key_check = key_check
        self.token = token
        self.client = client_of(shard.address)
        self._named: set[bytes] = set()
        """Keys of the pages that the versions to keep have, while old ones are cleared away."""

    async def close(self) -> None:
        """Drop the connections."""
        await self.client.aclose()

    async def take_fence(self) -> None:
        """Shut out whoever projected before."""
        fences = {self.keys.fence, *[self._fence(place) for place in self.shard.places]}
        await self.plain([(b"SET", fence, self.token) for fence in fences])

    async def compact_entries(self) -> int:
        """What the server's compact encodings of hashes and integer sets take; the default where it does not say."""
        found: dict[Any, Any] = {}
        with suppress(ResponseError):  # a hosted Redis may not let us look
            for pattern in ("hash-max-*-entries", "set-max-intset-entries"):
                found.update(await self.client.config_get(pattern))
        return max(MIN_COMPACT, min((int(value) for value in found.values()), default=layout.COMPACT_ENTRIES))

    def head_fields(self, registry: int, names: Names, places: Iterable[int] | None = None) -> Command:
        """The command that writes the head, now. `places`: those written, in a cluster; None: all the shard has."""
        fields = layout.encode_head(registry, names.epoch, names.buckets, time.time(), self.key_check)
        if self.keys.tag:
            fields[layout.HEAD_PLACES] = encode_places(self.shard.places if places is None else sorted(places))
        return (b"HSET", self.keys.head, *[word for field in fields.items() for word in field])

    async def read_head(self) -> Head | None:
        """The state of the data set, or None where there is no whole head."""
        keys = self.keys
        found, fence = await self._all((b"HMGET", keys.head, *_HEAD_FIELDS), (b"GET", keys.fence))
        try:
            *numbers, key_check, places = found
            registry, epoch, buckets, updated = (int(number) for number in numbers)
            held = decode_places(places or b"")
        except (TypeError, ValueError):
            return None
        text, has_blob = await self._all((b"GET", keys.watermark(epoch)), (b"EXISTS", keys.registry(registry)))
        try:
            watermark = layout.decode_watermark(text) if text is not None else None
        except ValueError:
            watermark = None
        names = keys.names(epoch, buckets)
        ours = fence == self.token
        return Head(
            registry, epoch, buckets, updated, watermark, bool(has_blob), ours, names, key_check or b"", held
        )  # fmt: skip

    async def change(self, head: Head | Names, changes: Sequence[Change]) -> None:
        """Write to buckets. One step on a single Redis, and one for each place in a cluster. Raises FenceLost.

        On a single Redis it must still have the epoch and watermark of `head` too: a failover to a stale replica rolls
        them back together with the data, and moving on from there would hide what was lost. In a cluster the move of
        the watermark itself sees to that."""
        if isinstance(head, Head) and not self.keys.tag:
            await self.finish(head, [command for _, command in changes])
            return
        by_place: dict[int, list[Command]] = {}
        for bucket, command in changes:
            by_place.setdefault(place_of(bucket, head.buckets), []).append(command)
        await self._run([self._script(self._fence(place), None, found) for place, found in by_place.items()])

    async def finish(self, head: Head | None, commands: Sequence[Command]) -> None:
        """Write what the shard has once (head, watermark) in one step, if Redis still has the epoch and watermark of
        `head` (None: whatever it has). Raises FenceLost."""
        await self._run([self._script(self.keys.fence, head, commands)])

    async def plain(self, commands: Iterable[Command]) -> None:
        """Send commands in one pipeline, not fenced: for keys that nobody reads yet."""
        await self._all(*commands)

    async def published(self, version: int) -> tuple[Published | None, frozenset[str]]:
        """The head of a registry version, and which of its pages are there; None where it is not, or not of this
        form."""
        blob = await self.client.get(self.keys.registry(version))
        try:
            found = decode_published(blob) if isinstance(blob, bytes) else None
        except ValueError:
            found = None
        names = [page.name for page in found.pages] if found else []
        return found, await self._held(names)

    async def publish_registry(self, made: Publication) -> None:
        """Put a registry version where workers fetch it: its pages that are not there, then its head. The shard's head
        is switched by whoever calls."""
        held = await self._held(made.names)
        for name, page in made.pages.items():
            if name not in held:
                await self.client.set(self.keys.page(name), page)
        await self.client.set(self.keys.registry(made.version), made.blob)

    async def sweep_old(self, cursor: int, epoch: int, registry: int) -> int:
        """One step of clearing away keys of other epochs, old registry versions and their pages; the next cursor, 0 at
        the end. Raises FenceLost.

        The version before the current one stays: a worker may be fetching it.
        """
        if not cursor:
            self._named = set()
            for version in (registry, registry - 1):
                found, _ = await self.published(version)
                self._named |= {self.keys.page(page.name) for page in found.pages} if found else set()
        cursor, keys = await self.client.scan(cursor, match=b"cg:*", count=1_000)
        old = [key for key in keys if isinstance(key, bytes) and _is_old(key, epoch, registry)]
        if old:
            await self._all(*[(b"UNLINK", key) for key in old])  # one by one: a command reaches one slot
        pages = [key for key in keys if isinstance(key, bytes) and self._is_own_page(key) and key not in self._named]
        if pages:  # fenced: a projector that took over may have published some of them anew
            await self.finish(None, [(b"UNLINK", key) for key in pages])
        return int(cursor)

    def _is_own_page(self, key: bytes) -> bool:
        _, kind, *rest = key.split(b":", 3)
        return kind == b"page" and bool(rest) and key == self.keys.page(rest[0].decode("ascii", "replace"))

    async def _held(self, names: Sequence[str]) -> frozenset[str]:
        """Which of these pages are there."""
        found = await self._all(*[(b"EXISTS", self.keys.page(name)) for name in names]) if names else []
        return frozenset(name for name, there in zip(names, found, strict=True) if there)

    def _fence(self, place: int) -> bytes:
        return ShardKeys(place_tags()[place]).fence

    def _script(self, fence: bytes, head: Head | None, commands: Sequence[Command]) -> Command:
        keys = {command[1] for command in commands}
        epoch, watermark = b"", b""
        known = [fence, fence, fence]  # in a cluster, all keys of a script have to be in one slot
        if head is not None:
            epoch, watermark = b"%d" % head.epoch, layout.encode_watermark(*(head.watermark or (0, 0)))
            known = [fence, self.keys.head, self.keys.watermark(head.epoch)]
        words: list[bytes | str | int] = [b"EVAL", _SCRIPT, len(known) + len(keys), *known, *keys]
        words += [self.token, epoch, watermark]
        for command in commands:
            words += (len(command), *command)
        return tuple(words)

    async def _run(self, scripts: Sequence[Command]) -> None:
        try:
            await self._all(*scripts)
        except ResponseError as error:
            if _FENCED in str(error):
                raise FenceLost("another projector took over") from None
            if _EXCHANGED in str(error):
                raise FenceLost("the data set in Redis was exchanged") from None
            raise

    async def _all(self, *commands: Command) -> list[Any]:
        async with self.client.pipeline(transaction=False) as pipe:
            for command in commands:
                pipe.execute_command(*command)
            found = list(await pipe.execute(raise_on_error=False))
        for reply in found:
            if isinstance(reply, RedisError):
                raise reply
        return found


_HEAD_FIELDS: Final = (
    layout.HEAD_REGISTRY, layout.HEAD_EPOCH, layout.HEAD_BUCKETS, layout.HEAD_UPDATED, layout.HEAD_KEYCHECK,
    layout.HEAD_PLACES,
)  # fmt: skip


def client_of(address: RedisAddress) -> Redis:
    """A client for one server. No retries inside it: the projector tries again itself, from the head."""
    options: dict[str, Any] = {
        "db": address.database, "username": address.username or None, "password": address.password or None,
        "socket_timeout": SOCKET_S, "socket_connect_timeout": SOCKET_S, "retry": Retry(NoBackoff(), 0),
    }  # fmt: skip
    if address.path:
        return Redis(unix_socket_path=address.path, **options)
    if address.tls:
        options |= {"ssl": True, "ssl_ca_certs": address.ca or None, "ssl_check_hostname": True}
    return Redis(host=address.host, port=address.port, **options)


def _is_old(key: bytes, epoch: int, registry: int) -> bool:
    parts = key.split(b":", 3)
    if len(parts) < 3:
        return False
    if parts[1] in (b"version", b"registry"):  # the latter: whole, as they were published once
        return parts[2].isdigit() and int(parts[2]) < registry - 1
    return parts[1].isdigit() and int(parts[1]) != epoch
