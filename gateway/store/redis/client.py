"""The worker's link to Redis: a connection that is opened again, with backoff, whenever it ends.

While the link is down nothing waits: `send` says no. `run` keeps it open; whoever owns the link spawns it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, cast

import hiredis

from gateway.store.ports import StoreError
from gateway.store.redis.address import RedisAddress, handshake, read_address
from gateway.store.redis.connection import Connection, OnReplies, Replies, Turns
from gateway.store.redis.names import SINGLE, ShardKeys

CONNECT_TIMEOUT_S: Final = 1.0
"""For connecting and for the handshake: a stopped server still accepts, in the kernel's backlog."""

FIRST_BACKOFF_S: Final = 0.05
LAST_BACKOFF_S: Final = 0.5
"""Between attempts, doubling: a server that is back is found within half a second."""

MIN_VERSION: Final = (6, 2)
"""SMISMEMBER came with Redis 6.2."""


class UnsuitableServer(StoreError):
    """The server must not be used; the text says why and what to change."""


def check_server(info: bytes) -> None:
    """Refuse a server that could forget a refusal or lacks a command. `info`: INFO server and memory.

    Under any `maxmemory-policy` but `noeviction` Redis drops keys of its own accord (DESIGN §6).
    """
    fields = dict(line.split(b":", 1) for line in info.split(b"\r\n") if b":" in line)
    policy = fields.get(b"maxmemory_policy", b"unknown").decode("ascii", "replace")
    if policy != "noeviction":
        raise UnsuitableServer(f"redis maxmemory-policy: {policy}: set it to noeviction")
    version = fields.get(b"redis_version", b"unknown").decode("ascii", "replace")
    numbers = tuple([int(part) for part in version.split(".")[:2] if part.isascii() and part.isdigit()])
    if numbers < MIN_VERSION:
        raise UnsuitableServer(f"redis version: {version}: use 6.2 or newer")


class RedisLink:
    """Up or down. Each time it comes up the server is checked: a failover may have brought another."""

    __slots__ = (
        "_connection", "_down_reason", "_loop", "_told", "_turns", "address", "connections", "keys", "on_change",
        "on_up",
    )  # fmt: skip

    def __init__(
        self,
        url: str | RedisAddress,
        loop: asyncio.AbstractEventLoop | None = None,
        turns: Turns | None = None,
        keys: ShardKeys = SINGLE,
    ) -> None:
        """`url`: see `address.read_address`, which raises BadAddress. `turns`: told where what was read begins and
        ends. `keys`: of the shard this server is."""
        self.address = read_address(url) if isinstance(url, str) else url
        """Where the server is looked for, each time anew."""
        self.keys = keys
        self._loop = loop or asyncio.get_running_loop()
        self._turns = turns
        self._connection: Connection | None = None
        self.connections = 0
        """Times the link came up."""
        self._down_reason = "not connected yet"
        self.on_up: list[Callable[[], None]] = []
        """Called each time the link comes up."""
        self._told: bool | None = None
        self.on_change: list[Callable[[bool, str], None]] = []
        """Called with (up, why it is down) once per change, and for the first state there is; not for an end by
        `run` being cancelled."""

    @property
    def connected(self) -> bool:
        """The handshake is done and the server is suitable."""
        connection = self._connection
        return connection is not None and not connection.lost.is_set()

    @property
    def down_reason(self) -> str:
        """Why the link is down; empty while it is up."""
        return self._down_reason if self._connection is None else self._connection.reason

    def send(self, commands: bytes, n_replies: int, callback: OnReplies) -> bool:
        """As `Connection.send`; False, and no callback, also while the link is down."""
        connection = self._connection
        return connection is not None and connection.send(commands, n_replies, callback)

    async def run(self) -> None:
        """Keep the link open until cancelled."""
        backoff = FIRST_BACKOFF_S
        while True:
            try:
                connection = await self._open()
            except StoreError as error:
                self._down_reason = str(error)
                self._tell(False)
            else:
                backoff = FIRST_BACKOFF_S
                await self._serve(connection)
            await asyncio.sleep(backoff)
            backoff = min(LAST_BACKOFF_S, backoff * 2)

    async def probe(self) -> None:
        """Connect once, check the server, close: for the start. Raises StoreError, saying what is wrong."""
        (await self._open()).cut("probe done")

    def cut(self, reason: str) -> None:
        """End the connection there is; another is opened, to where `address` says then."""
        if self._connection is not None:
            self._connection.cut(reason)

    async def _serve(self, connection: Connection) -> None:
        self._connection = connection
        self.connections += 1
        try:
            for callback in self.on_up:
                callback()
            self._tell(True)
            await connection.lost.wait()
        finally:
            self._connection = None
            connection.cut("link closed")
            self._down_reason = connection.reason
        self._tell(False)

    def _tell(self, up: bool) -> None:
        if up == self._told:
            return
        self._told = up
        for callback in self.on_change:
            try:
                callback(up, "" if up else self._down_reason)
            except Exception as error:  # whoever is told must not end the link
                self._loop.call_exception_handler({"message": "redis on_change callback failed", "exception": error})

    async def _open(self) -> Connection:
        return await open_connection(self.address, self._loop, self._turns)


async def open_connection(
    address: RedisAddress, loop: asyncio.AbstractEventLoop, turns: Turns | None = None, *, sentinel: bool = False
) -> Connection:
    """A connection to a server that may be used. Raises StoreError, saying what is wrong. `sentinel`: what listens is a
    Sentinel, which keeps nothing."""
    connection = Connection(loop, turns)
    opened = False
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            protocol = cast(asyncio.Protocol, connection)
            if address.path:
                await loop.create_unix_connection(lambda: protocol, address.path)
            else:
                await loop.create_connection(lambda: protocol, address.host, address.port, ssl=address.context())
            commands = handshake(address)[: -2 if sentinel else None]
            replies = await question(connection, commands, loop) if commands else []
        for reply in replies:
            if isinstance(reply, hiredis.ReplyError):
                raise UnsuitableServer(f"redis handshake: {reply}")
        if not sentinel:
            check_server(b"\r\n".join([reply for reply in replies[-2:] if isinstance(reply, bytes)]))
        opened = True
    except (OSError, ValueError) as error:  # TimeoutError is an OSError; ValueError: host is no name
        raise StoreError(f"redis: {error or 'no answer to the handshake'}") from error
    finally:
        if not opened:
            connection.cut("not opened")
    return connection


class Asked(Protocol):
    """A connection, or a link."""

    def send(self, commands: bytes, n_replies: int, callback: OnReplies) -> bool:
        """As `Connection.send`."""
        ...


async def question(asked: Asked, commands: list[bytes], loop: asyncio.AbstractEventLoop, n_replies: int = 0) -> Replies:
    """The replies to these commands. `n_replies`: 0 = one to each. Raises ConnectionResetError where there will be
    none."""
    answered: asyncio.Future[Replies | None] = loop.create_future()

    def settle(replies: Replies | None) -> None:
        if not answered.done():
            answered.set_result(replies)

    if not asked.send(b"".join(commands), n_replies or len(commands), settle):
        raise ConnectionResetError("closed at once")
    replies = await answered
    if replies is None:
        raise ConnectionResetError("closed before the answer")
    return replies
