"""The shards of the Redis that `redis.url` names, as they come and go: one, or in a cluster one for each master."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import TracebackType

from gateway.store.redis.address import RedisAddress, read_deployment
from gateway.store.redis.client import RedisLink
from gateway.store.redis.cluster import ClusterLink
from gateway.store.redis.names import ShardKeys
from gateway.store.redis.sentinel import SentinelLink


@dataclass(frozen=True, slots=True)
class Shard:
    """A Redis with its own head, fence and watermark (`store.redis.names`). Where any of it changes it is another."""

    address: RedisAddress
    keys: ShardKeys
    places: tuple[int, ...] = ()
    """The places it holds in a cluster."""
    link: RedisLink = field(compare=False, kw_only=True)
    """Kept open by `Shards`."""

    def __str__(self) -> str:
        return str(self.address)


class Shards:
    """Looks after the links while it is entered."""

    def __init__(self, url: str) -> None:
        """Raises BadAddress."""
        deployment = read_deployment(url)
        self.clustered = deployment.kind == "cluster"
        self.changed = asyncio.Event()
        """Set when `now` may say something new; whoever waits clears it."""
        self._link: RedisLink | ClusterLink | SentinelLink
        if deployment.kind == "cluster":
            self._link = ClusterLink(deployment.addresses)
            self._link.on_links.append(lambda links: self.changed.set())
        elif deployment.kind == "sentinel":
            self._link = SentinelLink(deployment)
            self._link.on_master.append(lambda address: self.changed.set())
        else:
            self._link = RedisLink(deployment.addresses[0])
        self._running: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Shards:
        self._running = asyncio.ensure_future(self._link.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait((self._running,))

    def now(self) -> list[Shard]:
        """All there are, as far as is known; none before the cluster or the Sentinels have answered."""
        link = self._link
        if isinstance(link, ClusterLink):
            places: dict[RedisLink, list[int]] = {}
            for place, holder in enumerate(link.by_place):
                if holder is not None:
                    places.setdefault(holder, []).append(place)
            return [Shard(one.address, one.keys, tuple(held), link=one) for one, held in places.items()]
        one = link.link if isinstance(link, SentinelLink) else link
        known = one.address.host or one.address.path
        return [Shard(one.address, one.keys, link=one)] if known else []

    @property
    def down_reason(self) -> str:
        """Why nothing can be reached; empty: something can."""
        return self._link.down_reason
