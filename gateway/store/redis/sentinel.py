"""The link to the master that Redis Sentinel names, followed from one to the next.

All Sentinels are asked, twice a second, and the answer of the latest configuration counts: a Sentinel that was cut off
together with an old master goes on naming it. (A subscription to `+switch-master` would be one message sooner, and
silent where it is lost.) A server that says it is no master is not used, whoever named it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from gateway.store.ports import StoreError
from gateway.store.redis.address import Deployment, RedisAddress, command
from gateway.store.redis.client import CONNECT_TIMEOUT_S, RedisLink, open_connection, question
from gateway.store.redis.connection import Connection, OnReplies, Turns
from gateway.store.redis.names import ShardKeys

POLL_S: Final = 0.5


class SentinelWatch:
    """Knows the master's address, and keeps links pointed at it."""

    def __init__(self, deployment: Deployment, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._deployment = deployment
        self._loop = loop or asyncio.get_running_loop()
        self._ask = command(b"SENTINEL", b"MASTER", deployment.service.encode())
        self._connections: dict[RedisAddress, Connection] = {}
        self._epoch = -1

    async def master(self) -> RedisAddress:
        """The master's address. Raises StoreError where no Sentinel names one."""
        found = await asyncio.gather(*[self._named_by(address) for address in self._deployment.addresses])
        named = [answer for answer in found if isinstance(answer, tuple)]
        if not named:
            reasons = "; ".join(str(answer) for answer in found)
            raise StoreError(f"redis sentinel: no master {self._deployment.service!r}: {reasons}")
        epoch, host, port = max(named)
        if epoch < self._epoch and 2 * len(named) <= len(self._deployment.addresses):
            raise StoreError("redis sentinel: only Sentinels answer that have missed the last failover")
        self._epoch = epoch
        return self._deployment.master.at(host, port)

    async def checked_master(self) -> RedisAddress:
        """The same, once the server itself has said that it is one."""
        address = await self.master()
        connection = await open_connection(address, self._loop)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                (role,) = await question(connection, [command(b"ROLE")], self._loop)
        except OSError as error:
            raise StoreError(f"redis: {address}: {error or 'no answer'}") from error
        finally:
            connection.cut("asked")
        if not isinstance(role, list) or role[:1] != [b"master"]:
            raise StoreError(f"redis: {address}: named as the master, and is none")
        return address

    def close(self) -> None:
        """Drop the connections to the Sentinels."""
        for connection in self._connections.values():
            connection.cut("closed")
        self._connections.clear()

    async def _named_by(self, address: RedisAddress) -> tuple[int, str, int] | str:
        """(configuration epoch, host, port), or why there is none."""
        try:
            connection = self._connections.get(address)
            if connection is None or connection.lost.is_set():
                connection = await open_connection(address, self._loop, sentinel=True)
                self._connections[address] = connection
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                (reply,) = await question(connection, [self._ask], self._loop)
            if isinstance(reply, Exception):
                return f"{address}: {reply}"
            fields = dict(zip(reply[::2], reply[1::2], strict=True))
            return int(fields[b"config-epoch"]), fields[b"ip"].decode(), int(fields[b"port"])
        except (StoreError, OSError, ValueError, KeyError, TypeError) as error:
            return f"{address}: {error or 'no answer'}"


class SentinelLink:
    """As `RedisLink`, to the server that the Sentinels name."""

    def __init__(
        self, deployment: Deployment, loop: asyncio.AbstractEventLoop | None = None, turns: Turns | None = None
    ) -> None:
        self._loop = loop or asyncio.get_running_loop()
        self._watch = SentinelWatch(deployment, self._loop)
        self.link = RedisLink(deployment.master, self._loop, turns)
        """To the master, once one is known: its address has no host before."""
        self._reason = "no Sentinel answered yet"
        self.on_master: list[Callable[[RedisAddress], None]] = []
        """Called with the address of each new master."""
        self.on_up = self.link.on_up
        self.on_change = self.link.on_change

    @property
    def connected(self) -> bool:
        return self.link.connected

    @property
    def down_reason(self) -> str:
        return self.link.down_reason if self.link.address.host else self._reason

    @property
    def keys(self) -> ShardKeys:
        return self.link.keys

    def send(self, commands: bytes, n_replies: int, callback: OnReplies) -> bool:
        """As `RedisLink.send`."""
        return self.link.send(commands, n_replies, callback)

    async def run(self) -> None:
        """As `RedisLink.run`."""
        running: asyncio.Future[None] | None = None
        try:
            while True:
                try:
                    await self._follow()
                    self._reason = ""
                except StoreError as error:
                    if running is None and not self._reason.startswith("redis"):
                        for callback in self.on_change:
                            callback(False, str(error))
                    self._reason = str(error)
                if running is None and self.link.address.host:
                    running = asyncio.ensure_future(self.link.run(), loop=self._loop)
                await asyncio.sleep(POLL_S)
        finally:
            if running is not None:
                running.cancel()
            self._watch.close()

    async def probe(self) -> None:
        """As `RedisLink.probe`."""
        try:
            await self._watch.checked_master()
        finally:
            self._watch.close()
            await asyncio.sleep(0)  # the transports are closed in the next turn

    async def _follow(self) -> None:
        address = await self._watch.master()
        if address == self.link.address:
            return
        self.link.address = await self._watch.checked_master()
        self.link.cut(f"sentinel: the master is {address} now")
        for callback in self.on_master:
            callback(address)
