"""The shipper as a process: runs `shipper.run_shipper` until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import signal

from gateway.settings import Settings


def run_ship(settings: Settings) -> None:
    """Ship this node's journals until told to stop; what is on disk then is shipped first."""
    asyncio.run(_ship(settings))


async def _ship(settings: Settings) -> None:
    from gateway.control.shipper import run_shipper

    await run_shipper(settings, stop_on_signals())


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set in the running loop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)
    return stop
