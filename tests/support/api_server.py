"""The API behind a real HTTP server on the loopback, for clients that are no coroutines."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import uvicorn

from gateway.control.importer import import_pack
from gateway.control.projector import Projector
from tests.support.api import ApiSite, api_on
from tests.support.database import EXAMPLE, KEYS

T = TypeVar("T")


class ApiServer:
    """A thread with an event loop, in it the application and uvicorn."""

    def __init__(self, database_url: str, state: Path, redis_url: str) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.site: ApiSite
        self._arguments = (database_url, state, redis_url)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="api-server")

    def do(self, work: Callable[[ApiSite], Awaitable[T]]) -> T:
        """Run something in its loop."""

        async def run() -> T:
            return await work(self.site)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(60)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(30)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        url, state, redis_url = self._arguments
        self._loop = asyncio.get_running_loop()
        async with api_on(url, state, redis_url=redis_url) as self.site:
            pack = EXAMPLE.parent / "packs" / "example.toml"
            await import_pack(self.site.engine, pack.read_text(), str(pack), "test")
            stop = asyncio.Event()
            projecting = asyncio.ensure_future(Projector(self.site.engine, redis_url, KEYS).run(stop))
            self._server = uvicorn.Server(uvicorn.Config(self.site.app, log_config=None, lifespan="off"))
            self._server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
            serving = asyncio.ensure_future(self._server.serve(sockets=[self._listener]))
            self._ready.set()
            await serving
            stop.set()
            await projecting


@contextmanager
def api_server(database_url: str, state: Path, redis_url: str) -> Iterator[ApiServer]:
    """One that runs until the block ends."""
    server = ApiServer(database_url, state, redis_url)
    server.start()
    try:
        yield server
    finally:
        server.stop()
