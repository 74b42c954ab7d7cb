"""Words about calls between workers, over a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis import Redis

from gateway.store.redis import elsewhere as elsewhere_module
from gateway.store.redis.elsewhere import STREAM, Elsewhere
from tests.support.redis_fixtures import linked, redis_process, until
from tests.support.redis_server import RedisServer

__all__ = ["redis_process"]

A, B, C = "a" * 32, "b" * 32, "c" * 32


@asynccontextmanager
async def worker(server: RedisServer, name: str) -> AsyncIterator[tuple[Elsewhere, list[str]]]:
    """One that has read what was said before it."""
    async with linked(server.url) as link:
        heard: list[str] = []
        made = Elsewhere(link, name, heard.append)
        while made._past:
            await read(made)
        yield made, heard


async def read(one: Elsewhere) -> None:
    one.read()
    await until(lambda: not one._asking)


async def test_the_others_hear_of_it_once(redis_process: RedisServer) -> None:
    async with worker(redis_process, "n1-0") as (first, by_first), worker(redis_process, "n2-0") as (second, by_second):
        await read(second)
        assert by_second == []
        first.tell(A)
        first.tell(B)
        for _ in range(2):
            await read(first)
            await read(second)
        assert (by_first, by_second) == ([], [A, B]), "not its own words"
        second.tell(A)
        await until(lambda: redis_process.client().xlen(STREAM) == 3)
        await read(first)
        assert by_first == [A]


async def test_the_past_ends_where_there_is_always_something_new(redis_process: RedisServer) -> None:
    client: Redis = redis_process.client()
    async with linked(redis_process.url) as link:
        heard: list[str] = []
        one = Elsewhere(link, "n1-0", heard.append)
        for call in (A, B):
            client.xadd(STREAM, {b"w": b"n2-0", b"d": call.encode()})
            await read(one)
        assert heard == [A, B]


async def test_who_comes_back_hears_who_had_the_last_word(
    redis_process: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elsewhere_module, "READ_AT_ONCE", b"2")
    client: Redis = redis_process.client()
    async with worker(redis_process, "n1-0") as (before, _), worker(redis_process, "n1-1") as (sibling, _):
        for count, (one, call) in enumerate(((before, C), (sibling, A), (sibling, B), (before, B), (sibling, C)), 1):
            one.tell(call)
            await until(lambda count=count: client.xlen(STREAM) == count)
    async with worker(redis_process, "n1-0") as (_, heard):
        assert heard == [A, C], "the last word about B was its own"


async def test_a_redis_that_forgot_and_strange_entries(redis_process: RedisServer) -> None:
    client: Redis = redis_process.client()
    async with worker(redis_process, "n1-0") as (first, _), worker(redis_process, "n2-0") as (second, heard):
        first.tell(A)
        await until(lambda: client.exists(STREAM))
        await read(second)
        client.flushall()
        for fields in ({"d": B}, {"w": "x", "d": "short"}, {"w": "x", "d": "\n" * 32}, {"w": "x", "d": B, "e": "1"}):
            client.xadd(STREAM, fields)  # type: ignore[arg-type]
        first.tell(B)
        await until(lambda: client.xlen(STREAM) == 5)
        await read(second)
        assert heard == [A, B]
        client.delete(STREAM)
        client.set(STREAM, "not a stream")
        first.tell(A)
        await read(second)
        assert heard == [A, B]


async def test_the_stream_is_bounded(redis_process: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elsewhere_module, "MAX_KEPT", b"200")
    async with worker(redis_process, "n1-0") as (first, _):
        for _ in range(3_000):
            first.tell(A)
            await asyncio.sleep(0)
        client = redis_process.client()
        await until(lambda: client.exists(STREAM))
        await read(first)
        assert client.xlen(STREAM) < 500


async def test_without_redis_nothing_happens(redis_process: RedisServer) -> None:
    async with worker(redis_process, "n1-0") as (first, heard):
        redis_process.kill()
        await until(lambda: not first._link.connected)
        first.tell(A)
        first.read()
        assert not first._asking and heard == []
