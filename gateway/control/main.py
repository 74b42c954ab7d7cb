"""The control process: prepares the database, projects it into Redis, serves HTTP.

HTTP answers from the first moment (`/readyz` says what is missing); the database is prepared as soon as
it can be reached: migrated under an advisory lock, and filled with the example if it is empty and one is
configured.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Iterator

import uvicorn
import uvloop
from sqlalchemy import text

from gateway.control.api import Context, make_app
from gateway.control.health import Health
from gateway.control.importer.problems import NO_PACK, NO_REGISTRY
from gateway.control.ladder_taker import LadderTaker
from gateway.control.papers_watch import PapersWatch
from gateway.control.projection import Projection, StartRefused
from gateway.control.ship import stop_on_signals
from gateway.process import EX_CONFIG
from gateway.settings import Settings, make_run_dir
from gateway.store.ports import StoreError
from gateway.store.redis.address import command
from gateway.store.redis.client import question
from gateway.store.redis.deployment import connect
from gateway.store.sql.engine import SHORT_COMMAND_S, make_engine
from gateway.telemetry.collector import StatsHub

MAX_CONNECTIONS = 200
"""Of the HTTP side: scrapers, load balancers and people; more get 503."""

API_CONNECTIONS = 5
"""To PostgreSQL, and as many again while it is busy; requests beyond wait for one."""


def run_control(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Exits with EX_CONFIG when the HTTP port cannot be had."""
    make_run_dir(settings)
    listener = _listen(settings)
    refused = ""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_control(settings, listener))
    except* StartRefused as group:
        refused = "; ".join(str(error) for error in group.exceptions)
    if refused:
        sys.stderr.write(f"callgate: {refused}\n")
        raise SystemExit(EX_CONFIG)


def _listen(settings: Settings) -> socket.socket:
    http = settings.http
    family = socket.AF_INET6 if ":" in http.address else socket.AF_INET
    try:
        return socket.create_server((http.address, http.port), family=family, backlog=256)
    except OSError as error:
        sys.stderr.write(
            f"callgate: http.port = {http.port}: cannot listen on {http.address}:{http.port}: "
            f"{os.strerror(error.errno or 0)}; "
            "fix: stop what holds it, or set http.address / http.port\n"
        )
        raise SystemExit(EX_CONFIG) from None


TICK_S = 1.0
"""How often the Date header is brought up to date."""


class _Server(uvicorn.Server):
    """Uvicorn without its own signal handlers (SIGTERM is ours), and without looking ten times a second whether it is
    to stop."""

    def __init__(self, config: uvicorn.Config, stop: asyncio.Event) -> None:
        super().__init__(config)
        self._stop = stop

    async def main_loop(self) -> None:
        while not self._stop.is_set():
            await self.on_tick(0)  # a first tick, which sets the header
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._stop.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _control(settings: Settings, listener: socket.socket) -> None:
    stop = stop_on_signals()
    engine = make_engine(settings.database.url, command_s=SHORT_COMMAND_S)
    link, _ = connect(settings.redis.url, settings.gate.deadline_ms / 1000)
    linking = asyncio.ensure_future(link.run())
    sockets = {f"worker-{index}": settings.worker_socket(index) for index in range(settings.node.workers)}
    hub = StatsHub({**sockets, "shipper": settings.shipper_socket}, file=settings.counters_file)

    async def ask_database() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def ask_redis() -> None:
        if link.down_reason:
            raise StoreError(link.down_reason)
        await question(link, [command(b"PING")], asyncio.get_running_loop())

    async def ask_missing() -> str:
        async with engine.connect() as connection:
            found = await connection.execute(
                text("SELECT EXISTS (SELECT FROM pack_terms WHERE to_at IS NULL), EXISTS (SELECT FROM trunks)")
            )
            has_pack, has_registry = found.one()
        return "; ".join(line for line, there in ((NO_PACK, has_pack), (NO_REGISTRY, has_registry)) if not there)

    health = Health(hub, {"redis": ask_redis, "database": ask_database}, ask_missing)
    asked = make_engine(settings.database.url, pool_size=API_CONNECTIONS, command_s=SHORT_COMMAND_S)
    context = Context(settings, hub, health, asked, make_engine(settings.database.url, pool_size=2))
    projection = Projection(settings)
    papers = PapersWatch(context.patient)
    taker = LadderTaker(engine, link)
    server = _Server(
        uvicorn.Config(
            make_app(context, lambda: {**projection.samples(), **papers.samples(), **taker.samples()}),
            log_config=None,
            access_log=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=2,
            lifespan="off",
        ),
        stop,
    )
    try:
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(server.serve(sockets=[listener]), name="http")
            projecting = tasks.create_task(projection.run(stop), name="projection")
            tasks.create_task(papers.run(stop), name="papers")
            tasks.create_task(taker.run(stop), name="ladder")
            await stop.wait()
            server.should_exit = True
            await serving
            await projecting
    finally:
        linking.cancel()
        await context.close()
        await engine.dispose()
