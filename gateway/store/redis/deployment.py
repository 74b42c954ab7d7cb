"""A worker's link and lookup for whatever `redis.url` names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.store.ports import HeldKeys
from gateway.store.redis.address import read_deployment
from gateway.store.redis.client import Asked, RedisLink
from gateway.store.redis.cluster import ClusterLink, PlaceLink
from gateway.store.redis.cluster_lookup import ClusterLookup
from gateway.store.redis.connection import Turns
from gateway.store.redis.elsewhere import STREAM
from gateway.store.redis.held_keys import REPORTS
from gateway.store.redis.lookup import RedisLookup
from gateway.store.redis.names import ShardKeys, place_tags
from gateway.store.redis.sentinel import SentinelLink

AnyLink = RedisLink | ClusterLink | SentinelLink
AnyLookup = RedisLookup | ClusterLookup


def connect(
    url: str,
    deadline_s: float,
    loop: asyncio.AbstractEventLoop | None = None,
    keys: HeldKeys | None = None,
    turns: Turns | None = None,
    wake: Callable[[], None] | None = None,
) -> tuple[AnyLink, AnyLookup]:
    """Not yet open: the caller runs the link. `turns`: as `RedisLink`; all else: as `RedisLookup`. Raises
    BadAddress."""
    deployment = read_deployment(url)
    if deployment.kind == "cluster":
        cluster = ClusterLink(deployment.addresses, loop, turns)
        return cluster, ClusterLookup(cluster, deadline_s, loop, keys, wake)
    if deployment.kind == "sentinel":
        watched = SentinelLink(deployment, loop, turns)
        return watched, RedisLookup(watched.link, deadline_s, loop, keys, wake)
    link = RedisLink(deployment.addresses[0], loop, turns)
    return link, RedisLookup(link, deadline_s, loop, keys, wake)


def where_calls_are_told(link: AnyLink) -> tuple[Asked, bytes]:
    """A link, and the stream behind it in which the workers of all nodes speak of calls (`elsewhere`)."""
    if isinstance(link, ClusterLink):
        return PlaceLink(link, 0), b"%s:{%s}" % (STREAM, place_tags()[0])
    return link, STREAM


def where_keys_are_told(link: AnyLink) -> tuple[Asked, bytes]:
    """A link, and the hash behind it in which the workers of all nodes say which keys they hold (`held_keys`)."""
    told, _ = where_calls_are_told(link)
    return told, b"%s:{%s}" % (REPORTS, place_tags()[0]) if isinstance(link, ClusterLink) else REPORTS


def link_to(link: AnyLink, place: int) -> Asked | None:
    """The link to whoever holds a place (`names`); None: nobody is known to."""
    if isinstance(link, ClusterLink):
        return link.by_place[place]
    return link.link if isinstance(link, SentinelLink) else link


def shards_of(link: AnyLink) -> list[tuple[Asked, ShardKeys]]:
    """Every shard there is now: its link, and its keys."""
    links = link.links if isinstance(link, ClusterLink) else [link.link if isinstance(link, SentinelLink) else link]
    return [(one, one.keys) for one in links]
