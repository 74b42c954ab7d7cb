"""A worker's link and lookup for whatever `redis.url` names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.store.redis.address import read_deployment
from gateway.store.redis.client import Asked, RedisLink
from gateway.store.redis.cluster import ClusterLink, PlaceLink
from gateway.store.redis.cluster_lookup import ClusterLookup
from gateway.store.redis.connection import Turns
from gateway.store.redis.elsewhere import STREAM
from gateway.store.redis.lookup import RedisLookup
from gateway.store.redis.names import ShardKeys, place_tags
from gateway.store.redis.sentinel import SentinelLink

AnyLink = RedisLink | ClusterLink | SentinelLink
AnyLookup = RedisLookup | ClusterLookup


def connect(
    url: str,
    deadline_s: float,
    loop: asyncio.AbstractEventLoop | None = None,
    key_check: bytes = b"",
    turns: Turns | None = None,
    wake: Callable[[], None] | None = None,
) -> tuple[AnyLink, AnyLookup]:
    """Not yet open: the caller runs the link. `turns`: as `RedisLink`; all else: as `RedisLookup`. Raises
    BadAddress."""
    deployment = read_deployment(url)
    if deployment.kind == "cluster":
        cluster = ClusterLink(deployment.addresses, loop, turns)
        return cluster, ClusterLookup(cluster, deadline_s, loop, key_check, wake)
    if deployment.kind == "sentinel":
        watched = SentinelLink(deployment, loop, turns)
        return watched, RedisLookup(watched.link, deadline_s, loop, key_check, wake)
    link = RedisLink(deployment.addresses[0], loop, turns)
    return link, RedisLookup(link, deadline_s, loop, key_check, wake)


def where_calls_are_told(link: AnyLink) -> tuple[Asked, bytes]:
    """A link, and the stream behind it in which the workers of all nodes speak of calls (`elsewhere`)."""
    if isinstance(link, ClusterLink):
        return PlaceLink(link, 0), b"%s:{%s}" % (STREAM, place_tags()[0])
    return link, STREAM


def link_to(link: AnyLink, place: int) -> Asked | None:
    """The link to whoever holds a place (`names`); None: nobody is known to."""
    if isinstance(link, ClusterLink):
        return link.by_place[place]
    return link.link if isinstance(link, SentinelLink) else link


def shards_of(link: AnyLink) -> list[tuple[Asked, ShardKeys]]:
    """Every shard there is now: its link, and its keys."""
    links = link.links if isinstance(link, ClusterLink) else [link.link if isinstance(link, SentinelLink) else link]
    return [(one, one.keys) for one in links]
