"""The link against real servers: order, loss, reconnection, and servers that must not be used."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import hiredis
import pytest

from gateway.store.ports import StoreError
from gateway.store.redis import connection as connection_module
from gateway.store.redis.address import command
from gateway.store.redis.client import RedisLink, UnsuitableServer, check_server
from gateway.store.redis.connection import Replies
from tests.support.redis_fixtures import linked, redis_process, running, until
from tests.support.redis_server import RedisServer

__all__ = ["redis_process"]


async def test_replies_come_in_order_and_count(redis_process: RedisServer) -> None:
    async with linked(redis_process.url) as link:
        got: list[Replies | None] = []
        for number in range(100):
            words = command(b"ECHO", b"%d" % number) * (1 + number % 3)
            assert link.send(words, 1 + number % 3, got.append)
        assert not got  # never from inside `send`
        await until(lambda: len(got) == 100)
        assert got == [[b"%d" % number] * (1 + number % 3) for number in range(100)]


async def test_large_and_odd_replies(redis_process: RedisServer) -> None:
    big = b"x" * 3_000_000
    redis_process.client().set("big", big)
    async with linked(redis_process.url) as link:
        got: list[Any] = []
        words = command(b"GET", b"big") + command(b"GET", b"none") + command(b"NONSENSE") + command(b"PING")
        assert link.send(words, 4, got.append)
        await until(lambda: got)
        assert got[0][:2] == [big, None]
        assert isinstance(got[0][2], hiredis.ReplyError)
        assert got[0][3] == b"PONG"


async def test_a_failing_callback_hurts_nobody_else(redis_process: RedisServer) -> None:
    loop = asyncio.get_running_loop()
    faults: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: faults.append(context))

    def fail(replies: Replies | None) -> None:
        raise RuntimeError("ours")

    async with linked(redis_process.url) as link:
        got: list[Replies | None] = []
        link.send(command(b"PING"), 1, fail)
        link.send(command(b"PING"), 1, got.append)
        await until(lambda: got)
        assert got == [[b"PONG"]] and link.connected
    assert [str(fault["exception"]) for fault in faults] == ["ours"]


async def test_the_link_comes_back_by_itself(redis_process: RedisServer) -> None:
    async with linked(redis_process.url) as link:
        ups: list[int] = []
        link.on_up.append(lambda: ups.append(link.connections))
        got: list[Replies | None] = []
        redis_process.pause()
        link.send(command(b"PING"), 1, got.append)
        redis_process.kill()
        await until(lambda: not link.connected)
        await until(lambda: got)
        assert got == [None]  # owed and lost
        assert not link.send(command(b"PING"), 1, got.append)
        await until(lambda: link.down_reason.startswith("redis: "))
        redis_process.start()
        await until(lambda: link.connected)
        assert ups == [2] and link.down_reason == ""
        link.send(command(b"PING"), 1, got.append)
        await until(lambda: len(got) == 2)
        assert got == [None, [b"PONG"]]


async def test_a_server_that_does_not_answer_is_left(
    redis_process: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "STUCK_AFTER_S", 0.1)
    async with linked(redis_process.url) as link:
        got: list[Replies | None] = []
        redis_process.pause()
        link.send(command(b"PING"), 1, got.append)
        await until(lambda: got)
        assert got == [None] and not link.connected and "no answer" in link.down_reason
        redis_process.resume()
        await until(lambda: link.connected)


async def test_an_idle_link_is_not_stuck(redis_process: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "STUCK_AFTER_S", 0.05)
    async with linked(redis_process.url) as link:
        await asyncio.sleep(0.2)
        assert link.connected and link.connections == 1


async def test_no_more_than_the_bound_is_in_flight(redis_process: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "MAX_PENDING", 3)
    async with linked(redis_process.url) as link:
        got: list[Replies | None] = []
        assert [link.send(command(b"PING"), 1, got.append) for _ in range(5)] == [True] * 3 + [False] * 2
        await until(lambda: len(got) == 3)
        assert link.send(command(b"PING"), 1, got.append)


async def test_a_server_that_evicts_is_refused(redis_process: RedisServer) -> None:
    with redis_process.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        with pytest.raises(UnsuitableServer, match="allkeys-lru: set it to noeviction"):
            await RedisLink(redis_process.url).probe()
        link = RedisLink(redis_process.url)
        async with running(link):
            await until(lambda: "noeviction" in link.down_reason)
            assert not link.connected
            client.config_set("maxmemory-policy", "noeviction")
            await until(lambda: link.connected)


async def test_password_and_database(redis_process: RedisServer) -> None:
    with redis_process.client() as client:
        client.config_set("requirepass", "secret")
    with pytest.raises(UnsuitableServer, match="handshake: NOAUTH"):
        await RedisLink(redis_process.url).probe()
    with pytest.raises(UnsuitableServer, match="handshake: WRONGPASS"):
        await RedisLink(f"{redis_process.url}?password=other").probe()
    async with linked(f"{redis_process.url}?password=secret&db=3") as link:
        got: list[Replies | None] = []
        link.send(command(b"SET", b"k", b"v") + command(b"CLIENT", b"LIST"), 2, got.append)
        await until(lambda: got)
        assert b"db=3" in got[0][1]  # type: ignore[index]


async def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="redis: "):
        await RedisLink(f"unix://{tmp_path}/none.sock").probe()
    with pytest.raises(StoreError, match="redis: "):
        await RedisLink("redis://127.0.0.1:1").probe()


async def test_somebody_else_is_there(tmp_path: Path) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail ready\r\n")
        writer.close()

    path = str(tmp_path / "s")
    async with await asyncio.start_unix_server(greet, path):
        with pytest.raises(StoreError, match="redis: "):
            await RedisLink(f"unix://{path}").probe()


@pytest.mark.parametrize(
    ("info", "text"),
    [
        (b"", "maxmemory-policy: unknown"),
        (b"maxmemory_policy:noeviction\r\n", "version: unknown"),
        (b"maxmemory_policy:noeviction\r\nredis_version:5.0.7\r\n", "version: 5.0.7"),
        (b"maxmemory_policy:volatile-ttl\r\nredis_version:7.0.7\r\n", "volatile-ttl"),
    ],
)
def test_unsuitable_servers(info: bytes, text: str) -> None:
    with pytest.raises(UnsuitableServer, match=text):
        check_server(info)


@pytest.mark.parametrize("version", [b"6.2.14", b"7.0.15", b"8.0.0", b"255.255.255"])
def test_suitable_servers(version: bytes) -> None:
    check_server(b"# Server\r\nredis_version:" + version + b"\r\n# Memory\r\nmaxmemory_policy:noeviction\r\n")


async def test_each_change_is_told_once(redis_process: RedisServer) -> None:
    loop = asyncio.get_running_loop()
    faults: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: faults.append(context))
    link = RedisLink(redis_process.url)
    told: list[tuple[bool, str]] = []

    def fail(up: bool, reason: str) -> None:
        raise RuntimeError("ours")

    link.on_change += [fail, lambda up, reason: told.append((up, reason))]
    redis_process.kill()
    async with running(link):
        await until(lambda: told)
        await asyncio.sleep(0.3)  # several attempts
        redis_process.start()
        await until(lambda: len(told) == 2)
        redis_process.kill()
        await until(lambda: len(told) == 3)
    assert [up for up, _ in told] == [False, True, False]
    assert told[0][1].startswith("redis: ") and told[1][1] == "" and told[2][1]
    assert len(faults) == 3
