"""The shipper as a process: runs `shipper.run_shipper` until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress

import uvloop

from gateway.settings import Settings

SCHEMA_POLL_S = 0.1
"""How often a fresh database is looked at until it is migrated."""


def run_ship(settings: Settings) -> None:
    """Ship this node's journals until told to stop; what is on disk then is shipped first."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_ship(settings))


async def _ship(settings: Settings) -> None:
    from gateway.control.shipper import run_shipper

    stop = stop_on_signals()
    if await _schema_is_there(settings, stop):
        await run_shipper(settings, stop)


async def _schema_is_there(settings: Settings, stop: asyncio.Event) -> bool:
    """Wait until control has migrated the database; False when `stop` came first. Journals wait on disk."""
    from sqlalchemy import text

    from gateway.store.ports import StoreError
    from gateway.store.sql.engine import SHORT_COMMAND_S, make_engine, mapped_errors
    from gateway.store.sql.migrate import script_directory

    head = script_directory().get_current_head()
    engine = make_engine(settings.database.url, pool_size=1, command_s=SHORT_COMMAND_S)
    try:
        while not stop.is_set():
            with suppress(StoreError), mapped_errors():
                async with engine.connect() as connection:
                    made = await connection.execute(text("SELECT to_regclass('alembic_version')"))
                    if made.scalar_one() is not None:
                        found = await connection.execute(text("SELECT version_num FROM alembic_version"))
                        if found.scalar_one_or_none() == head:
                            return True
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), SCHEMA_POLL_S)
        return False
    finally:
        await engine.dispose()


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set in the running loop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)
    return stop
