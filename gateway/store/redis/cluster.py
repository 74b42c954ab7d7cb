"""The worker's links to a Redis Cluster: one to each master, kept in step with the slot map.

The map is asked of every master there is a link to, once a second and whenever something hints that it is old; of the
answers the one of the latest cluster epoch counts, because a node that was cut off does not know that it was replaced.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from gateway.store.ports import StoreError
from gateway.store.redis.address import RedisAddress
from gateway.store.redis.client import (
    CONNECT_TIMEOUT_S,
    RedisLink,
    UnsuitableServer,
    open_connection,
    question,
)
from gateway.store.redis.connection import OnReplies, Turns
from gateway.store.redis.names import PLACES, SINGLE, ShardKeys
from gateway.store.redis.slots import ASK_MAP, Master, SlotMap, read_map

POLL_S: Final = 1.0
"""Between two looks at the slot map while nothing hints at a change."""

HINT_S: Final = 0.05
"""Between two looks at least."""


class MasterLink:
    """The link to one master, while the map names it."""

    __slots__ = ("link", "running", "tried")

    def __init__(self, link: RedisLink, running: asyncio.Future[None]) -> None:
        self.link = link
        self.running = running
        self.tried = False
        """It is up, or was found to be down."""


class ClusterLink:
    """As `RedisLink` where that is one server: up while any master is. Each master has its own link."""

    __slots__ = (
        "_address", "_hint", "_links", "_loop", "_map", "_reason", "_seeds", "_settled", "_told", "_turns", "by_place",
        "on_change", "on_links", "on_up",
    )  # fmt: skip

    def __init__(
        self,
        seeds: tuple[RedisAddress, ...],
        loop: asyncio.AbstractEventLoop | None = None,
        turns: Turns | None = None,
    ) -> None:
        """`seeds`: some nodes of the cluster. `turns`: as `RedisLink`."""
        self._turns = turns
        self._seeds = seeds
        self._address = seeds[0]
        self._loop = loop or asyncio.get_running_loop()
        self._links: dict[tuple[str, int, ShardKeys], MasterLink] = {}
        self._map: SlotMap | None = None
        self._hint = asyncio.Event()
        self._reason = "no node of the cluster answered yet"
        self._settled = False
        self.by_place: list[RedisLink | None] = [None] * PLACES
        """The master of each place."""
        self.on_links: list[Callable[[list[RedisLink]], None]] = []
        """Called with the links to all masters, each time they are other ones."""
        self.on_up: list[Callable[[], None]] = []
        """Called each time a link comes up."""
        self._told: dict[str, bool] = {}
        self.on_change: list[Callable[[bool, str], None]] = []
        """As `RedisLink.on_change`, for each master on its own; the reason names it, also when it is up."""

    @property
    def links(self) -> list[RedisLink]:
        """To the masters the map names."""
        return [entry.link for entry in self._links.values()]

    @property
    def connected(self) -> bool:
        """Some master can be asked."""
        return any(entry.link.connected for entry in self._links.values())

    @property
    def down_reason(self) -> str:
        """Why none can be asked; empty: one can."""
        if self.connected:
            return ""
        return "; ".join(entry.link.down_reason for entry in self._links.values()) or self._reason

    @property
    def keys(self) -> ShardKeys:
        """Of the shard that `send` asks."""
        link = self._any()
        return SINGLE if link is None else link.keys

    def send(self, commands: bytes, n_replies: int, callback: OnReplies) -> bool:
        """To the first master that is up: what every shard can answer. Not before every master was tried: whoever waits
        for the head means to ask them all."""
        if not self._settled:
            self._settled = bool(self._links) and all(entry.tried for entry in self._links.values())
        link = self._any() if self._settled else None
        return link is not None and link.send(commands, n_replies, callback)

    def look_again(self) -> None:
        """Something hints that the map is old."""
        self._hint.set()

    async def run(self) -> None:
        """Keep the links until cancelled."""
        try:
            while True:
                try:
                    self._follow(await self.read_map())
                except StoreError as error:
                    self._reason = str(error)
                    if not self._links:
                        self._tell("", False, self._reason)
                await asyncio.sleep(HINT_S)
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await self._hint.wait()
                self._hint.clear()
        finally:
            for entry in self._links.values():
                entry.running.cancel()

    async def probe(self) -> None:
        """Read the map once and look at every master: for the start. Raises StoreError, saying what is wrong; of
        masters that are away only where none is worse (UnsuitableServer)."""
        away: StoreError | None = None
        for master in (await self.read_map()).masters:
            try:
                await RedisLink(self._address.at(master.host, master.port), self._loop).probe()
            except UnsuitableServer as error:
                raise UnsuitableServer(f"master {master}: {error}") from None
            except StoreError as error:
                away = StoreError(f"master {master}: {error}")
        if away is not None:
            raise away

    async def read_map(self) -> SlotMap:
        """The newest map that can be had now. Raises StoreError where none can."""
        asked = [entry.link for entry in self._links.values() if entry.link.connected]
        found = await asyncio.gather(*[self._ask_link(link) for link in asked])
        maps = [slots for slots in found if slots is not None]
        if not maps:
            maps = [await self._ask_seeds()]
        return max(maps, key=lambda slots: slots.epoch)

    async def _ask_link(self, link: RedisLink) -> SlotMap | None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                replies = await question(link, [ASK_MAP], self._loop, 2)
            return read_map(replies, link.address.host)
        except (OSError, ValueError):
            return None

    async def _ask_seeds(self) -> SlotMap:
        """The first node that knows the map: one that was named, or that was a master before."""
        reasons = []
        known = [self._address.at(master.host, master.port) for master in (self._map.masters if self._map else ())]
        for address in dict.fromkeys((*known, *self._seeds)):
            try:
                connection = await open_connection(address, self._loop)
                try:
                    async with asyncio.timeout(CONNECT_TIMEOUT_S):
                        return read_map(await question(connection, [ASK_MAP], self._loop, 2), address.host)
                finally:
                    connection.cut("map read")
            except (StoreError, OSError, ValueError) as error:
                reasons.append(f"{address}: {error or 'no answer'}")
        raise StoreError(f"redis cluster: no node answers: {'; '.join(reasons)}")

    def _follow(self, slots: SlotMap) -> None:
        if self._map is not None and slots.epoch < self._map.epoch:
            return
        self._reason = ""
        if self._map is not None and slots.masters == self._map.masters:
            self._map = slots
            return
        self._map = slots
        wanted = {(master.host, master.port, master.keys): master for master in slots.masters}
        for key in [key for key in self._links if key not in wanted]:
            self._links.pop(key).running.cancel()
        self.by_place = [None] * PLACES
        for key, master in wanted.items():
            entry = self._links.get(key) or self._open(key, master)
            for place in master.places:
                self.by_place[place] = entry.link
        for callback in self.on_links:
            callback(self.links)

    def _open(self, key: tuple[str, int, ShardKeys], master: Master) -> MasterLink:
        link = RedisLink(self._address.at(master.host, master.port), self._loop, self._turns, master.keys)
        entry = self._links[key] = MasterLink(link, asyncio.ensure_future(link.run(), loop=self._loop))
        link.on_change.append(lambda up, reason: self._changed(entry, str(master), up, reason))
        return entry

    def _changed(self, entry: MasterLink, name: str, up: bool, reason: str) -> None:
        entry.tried = True
        if up:
            for callback in self.on_up:
                callback()
        else:
            self.look_again()
        self._tell(name, up, f"master {name}: {reason}" if reason else f"master {name}")

    def _tell(self, name: str, up: bool, reason: str) -> None:
        if self._told.get(name) == up:
            return
        self._told[name] = up
        for callback in self.on_change:
            callback(up, reason)

    def _any(self) -> RedisLink | None:
        for entry in self._links.values():
            if entry.link.connected:
                return entry.link
        return None


class PlaceLink:
    """To whichever master holds a place."""

    __slots__ = ("_cluster", "_place")

    def __init__(self, cluster: ClusterLink, place: int) -> None:
        self._cluster = cluster
        self._place = place

    def send(self, commands: bytes, n_replies: int, callback: OnReplies) -> bool:
        """As `RedisLink.send`."""
        link = self._cluster.by_place[self._place]
        return link is not None and link.send(commands, n_replies, callback)
