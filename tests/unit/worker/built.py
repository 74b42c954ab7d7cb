"""A real worker, put together on a state directory of the test's own, and not started: nothing is received."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from gateway.keys import load_or_create
from gateway.settings import Journal, Listener, Node, Redis, Settings
from gateway.worker.main import Worker


@contextmanager
def built(
    state: Path, loop: asyncio.AbstractEventLoop, sync: Literal["interval", "always"] = "interval"
) -> Iterator[Worker]:
    """The worker, and its sockets and journal closed at the end."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    load_or_create(state / "keys.json")
    settings = Settings(
        node=Node(name="n", state_dir=str(state)),
        listener=(Listener(name="main", address="127.0.0.1", port=port),),
        redis=Redis(url="unix:///nowhere/redis.sock"),
        journal=Journal(sync=sync, interval_ms=1),
    )
    worker = Worker(settings, 0, loop)
    worker.journal.open()
    try:
        yield worker
    finally:
        worker.lookup.close()
        worker.edge.stop()
        worker.journal.close()
