"""The lookup in a Redis Cluster: each question goes to the master of its callee, which has a `RedisLookup` of its own.

So each master has its own turns, deadline, breaker and dataset: one that is away costs its own callees their answer and
nobody else's. What a master says another one has is asked of that one, once, within the same deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from gateway.store.ports import Counting, HeldKeys, LookupReply, Rekeyed, SubscriberFacts, Unavailable
from gateway.store.redis.client import RedisLink
from gateway.store.redis.cluster import ClusterLink
from gateway.store.redis.lookup import LATENCY_BOUNDS, RedisLookup, Restrictions
from gateway.store.redis.names import PLACE_SHIFT
from gateway.store.redis.turn import LINK_DOWN, MOVED, NO_DATA_SET, AnyKey, Ask


class ClusterLookup:
    """`SubscriberLookup` over all masters. Counters as `RedisLookup`'s, of all masters together."""

    def __init__(
        self,
        cluster: ClusterLink,
        deadline_s: float,
        loop: asyncio.AbstractEventLoop | None = None,
        keys: HeldKeys | None = None,
        wake: Callable[[], None] | None = None,
    ) -> None:
        """As `RedisLookup`."""
        self._wake = wake
        self._cluster = cluster
        self._deadline = deadline_s
        self._loop = loop or asyncio.get_running_loop()
        self._keys = keys or AnyKey()
        self._dataset: tuple[int, int] | None = None
        self._lookups: dict[RedisLink, RedisLookup] = {}
        self._gone = _Counts()
        self._unrouted = 0
        self.on_breaker: list[Callable[[bool], None]] = []
        """As `RedisLookup.on_breaker`, for each master."""
        self._restrictions: Restrictions | None = None
        cluster.on_links.append(self._follow)

    @property
    def restrictions(self) -> Restrictions | None:
        """As `RedisLookup.restrictions`, of every master."""
        return self._restrictions

    @restrictions.setter
    def restrictions(self, restrictions: Restrictions | None) -> None:
        self._restrictions = restrictions
        for lookup in self._lookups.values():
            lookup.restrictions = restrictions

    def ask(
        self,
        callee_hash: bytes,
        operator: int,
        purpose: int,
        now: float,
        reply: LookupReply,
        counting: Counting | None = None,
    ) -> None:
        """See `ports.SubscriberLookup.ask`. Raises ValueError on what the layout has no room for."""
        ask = (callee_hash, operator, purpose, now, reply, counting)
        lookup = self._lookup_of(callee_hash)
        if lookup is None:
            self._unroutable(reply)
            return
        lookup.ask(callee_hash, operator, purpose, now, partial(self._answered, ask, self._loop.time()), counting)

    def set_epoch(self, epoch: int, buckets: int) -> None:
        """As `RedisLookup.set_epoch`; what a master's own head says counts more."""
        if (epoch, buckets) != self._dataset:
            self._dataset = (epoch, buckets)
            for lookup in self._lookups.values():
                lookup.set_epoch(epoch, buckets)

    def flush(self) -> None:
        """As `RedisLookup.flush`, to each master."""
        for lookup in self._lookups.values():
            lookup.flush()

    def close(self) -> None:
        """As `RedisLookup.close`."""
        for lookup in self._lookups.values():
            lookup.close()

    def _unroutable(self, reply: LookupReply) -> None:
        self._unrouted += 1
        self._cluster.look_again()
        self._loop.call_soon(reply, Unavailable("redis cluster: no master for this callee", LINK_DOWN))

    def _again(self, ask: Ask, asked_at: float, callee_hash: bytes) -> None:
        """Under another key a callee may be another master's."""
        ask = (callee_hash, *ask[1:])
        lookup = self._lookup_of(callee_hash)
        if lookup is None:
            self._unroutable(ask[4])
        else:
            lookup.ask_again((*ask[:4], partial(self._answered, ask, asked_at), ask[5]), asked_at)

    def _answered(self, ask: Ask, asked_at: float, answer: SubscriberFacts | Unavailable) -> None:
        if isinstance(answer, Rekeyed):
            ask[4](Rekeyed(partial(self._again, ask, asked_at)))
            return
        if isinstance(answer, Unavailable) and answer.reason in (MOVED, NO_DATA_SET, LINK_DOWN):
            self._cluster.look_again()
            other = self._master_named(str(answer)) if answer.reason == MOVED else None
            if other is not None:
                other.ask_again(ask, asked_at)
                return
        ask[4](answer)

    def _master_named(self, text: str) -> RedisLookup | None:
        """The lookup of the master that `… MOVED slot host:port` names, if we have one. While a slot is being moved
        (`ASK`) a bucket is in two halves: no answer is better than half of one."""
        _, moved, place = text.rpartition("MOVED ")
        host, _, port = place.partition(" ")[2].rpartition(":")
        for link, lookup in self._lookups.items():
            if moved and link.connected and port == str(link.address.port) and host in ("", link.address.host):
                return lookup
        return None

    def _lookup_of(self, callee_hash: bytes) -> RedisLookup | None:
        link = self._cluster.by_place[int.from_bytes(callee_hash, "big") >> PLACE_SHIFT]
        return self._lookups.get(link) if link is not None else None

    def _follow(self, links: list[RedisLink]) -> None:
        for link in [link for link in self._lookups if link not in links]:
            lookup = self._lookups.pop(link)
            lookup.close()
            self._gone.add(lookup)
        for link in links:
            if link not in self._lookups:
                lookup = self._lookups[link] = RedisLookup(
                    link, self._deadline, self._loop, self._keys, self._wake
                )
                lookup.restrictions = self._restrictions
                lookup.on_breaker.append(self._breaker_changed)
                if self._dataset is not None:
                    lookup.set_epoch(*self._dataset)

    def _breaker_changed(self, is_open: bool) -> None:
        for callback in self.on_breaker:
            callback(is_open)

    @property
    def epoch(self) -> int:
        """The oldest any master is asked of; 0 while none is known."""
        return min((lookup.epoch for lookup in self._lookups.values()), default=0)

    @property
    def breaker_open(self) -> bool:
        """Every master's is."""
        return bool(self._lookups) and all(lookup.breaker_open for lookup in self._lookups.values())

    @property
    def breaker_opened(self) -> int:
        return self._total().breaker_opened

    @property
    def lookups(self) -> int:
        return self._total().lookups + self._unrouted

    @property
    def timeouts(self) -> int:
        return self._total().timeouts

    @property
    def breaker_refused(self) -> int:
        return self._total().breaker_refused

    @property
    def unreachable(self) -> int:
        return self._total().unreachable + self._unrouted

    @property
    def invalid(self) -> int:
        return self._total().invalid

    @property
    def latency_counts(self) -> list[int]:
        return self._total().latency_counts

    @property
    def latency_sum(self) -> float:
        return self._total().latency_sum

    def _total(self) -> _Counts:
        total = _Counts()
        total.add(self._gone)
        for lookup in self._lookups.values():
            total.add(lookup)
        return total


class _Counts:
    """The counters of some lookups, added up."""

    def __init__(self) -> None:
        self.breaker_opened = self.breaker_refused = self.invalid = self.lookups = 0
        self.timeouts = self.unreachable = 0
        self.latency_counts = [0] * (len(LATENCY_BOUNDS) + 1)
        self.latency_sum = 0.0

    def add(self, other: _Counts | RedisLookup) -> None:
        self.breaker_opened += other.breaker_opened
        self.breaker_refused += other.breaker_refused
        self.invalid += other.invalid
        self.lookups += other.lookups
        self.timeouts += other.timeouts
        self.unreachable += other.unreachable
        self.latency_counts = [one + more for one, more in zip(self.latency_counts, other.latency_counts, strict=True)]
        self.latency_sum += other.latency_sum
