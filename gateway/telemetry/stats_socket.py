"""One question over a unix socket: "what have you counted?" One line in, one JSON line out, then closed.

The answering side is part of a worker's event loop and costs it about 100 us per scrape; the asking side
always has a deadline, so a stopped worker delays nobody.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import cast

import msgspec

from gateway.telemetry.metrics import Snapshot

QUESTION = b"stats\n"
ALIVE = b"alive\n"
"""The supervisor's, once a second: is the loop running? Answered without counting anything."""
YES = b"yes\n"
MAX_ANSWER = 4 * 1024 * 1024
"""Bytes of one snapshot: labels come from the registry, 10,000 trunks times a dozen rules stay below this."""

_DECODER = msgspec.json.Decoder(Snapshot)


class _Answerer(asyncio.Protocol):
    """Answers any line with a snapshot; no task, no buffer beyond a line."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if data == QUESTION:
            transport.write(msgspec.json.encode(self._snapshot()) + b"\n")
        elif data == ALIVE:
            transport.write(YES)
        transport.close()


async def serve_stats(path: Path, snapshot: Callable[[], Snapshot]) -> asyncio.AbstractServer:
    """Answer on `path` (mode 0600, a stale socket is replaced) until the server is closed."""
    with suppress(FileNotFoundError):
        os.unlink(path)
    server = await asyncio.get_running_loop().create_unix_server(lambda: _Answerer(snapshot), path)
    os.chmod(path, 0o600)
    return server


async def is_alive(path: Path, timeout_s: float) -> bool:
    """Whether the process behind `path` answers at all within `timeout_s` seconds."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as asking:
        try:
            async with asyncio.timeout(timeout_s):
                await loop.sock_connect(asking, str(path))
                await loop.sock_sendall(asking, ALIVE)
                return await loop.sock_recv(asking, len(YES)) == YES
        except (OSError, TimeoutError):
            return False


async def fetch_stats(path: Path, timeout_s: float) -> Snapshot | None:
    """The counters of the process behind `path`; None when it does not answer in time or not with
    counters."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_unix_connection(path, limit=MAX_ANSWER)
            writer.write(QUESTION)
            return _DECODER.decode(await reader.readline())
    except (OSError, TimeoutError, ValueError, msgspec.MsgspecError):
        return None
    finally:
        if writer is not None:
            writer.close()
