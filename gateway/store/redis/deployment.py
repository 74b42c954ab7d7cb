"""A worker's link and lookup for whatever `redis.url` names."""

from __future__ import annotations

import asyncio

from gateway.store.redis.address import read_deployment
from gateway.store.redis.client import RedisLink
from gateway.store.redis.cluster import ClusterLink
from gateway.store.redis.cluster_lookup import ClusterLookup
from gateway.store.redis.lookup import RedisLookup
from gateway.store.redis.sentinel import SentinelLink

AnyLink = RedisLink | ClusterLink | SentinelLink
AnyLookup = RedisLookup | ClusterLookup


def connect(
    url: str, deadline_s: float, loop: asyncio.AbstractEventLoop | None = None, key_check: bytes = b""
) -> tuple[AnyLink, AnyLookup]:
    """Not yet open: the caller runs the link. `deadline_s`, `key_check`: as `RedisLookup`. Raises BadAddress."""
    deployment = read_deployment(url)
    if deployment.kind == "cluster":
        cluster = ClusterLink(deployment.addresses, loop)
        return cluster, ClusterLookup(cluster, deadline_s, loop, key_check)
    if deployment.kind == "sentinel":
        watched = SentinelLink(deployment, loop)
        return watched, RedisLookup(watched.link, deadline_s, loop, key_check)
    link = RedisLink(deployment.addresses[0], loop)
    return link, RedisLookup(link, deadline_s, loop, key_check)
