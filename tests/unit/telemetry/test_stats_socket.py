"""Asking a process for its counters, also one that is stopped, gone or talks nonsense."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path

from gateway.telemetry.metrics import Snapshot, WorkerStats
from gateway.telemetry.stats_socket import fetch_stats, is_alive, serve_stats


async def test_a_worker_tells_its_counters(tmp_path: Path) -> None:
    path = tmp_path / "w.sock"
    path.write_text("left over")
    stats = WorkerStats(0)
    server = await serve_stats(path, stats.snapshot)
    stats.registry_version = 3
    first = await fetch_stats(path, 1.0)
    stats.registry_version = 4
    second = await fetch_stats(path, 1.0)
    server.close()
    await server.wait_closed()
    assert first is not None and second is not None
    assert [item.value("callgate_registry_version") for item in (first, second)] == [3, 4]
    assert first.boot == second.boot
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_worker_that_lives_says_so_without_counting(tmp_path: Path) -> None:
    counted: list[int] = []

    def count() -> Snapshot:
        counted.append(1)
        return WorkerStats(0).snapshot()

    path = tmp_path / "w.sock"
    assert not await is_alive(path, 1.0)
    server = await serve_stats(path, count)
    assert await is_alive(path, 1.0) and counted == []
    server.close()
    await server.wait_closed()
    assert not await is_alive(path, 1.0)


async def test_a_worker_that_hangs_is_not_alive(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:  # the kernel takes connections and bytes, nobody reads them
        listening.bind(str(tmp_path / "w.sock"))
        listening.listen()
        assert not await is_alive(tmp_path / "w.sock", 0.05)


async def test_nobody_there(tmp_path: Path) -> None:
    assert await fetch_stats(tmp_path / "absent.sock", 1.0) is None


async def test_a_stopped_worker_costs_the_deadline_only(tmp_path: Path) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the asking side gives up
        writer.close()
        await writer.wait_closed()
        hung_up.set()

    hung_up = asyncio.Event()
    server = await asyncio.start_unix_server(hang, tmp_path / "w.sock")
    before = time.monotonic()
    assert await fetch_stats(tmp_path / "w.sock", 0.05) is None
    assert time.monotonic() - before < 0.5
    await hung_up.wait()
    server.close()


async def test_nonsense_is_no_answer(tmp_path: Path) -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'{"process": 1}\n')
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_unix_server(talk, tmp_path / "w.sock")
    assert await fetch_stats(tmp_path / "w.sock", 1.0) is None
    server.close()


async def test_a_wrong_question_gets_no_counters(tmp_path: Path) -> None:
    server = await serve_stats(tmp_path / "w.sock", WorkerStats(0).snapshot)
    reader, writer = await asyncio.open_unix_connection(tmp_path / "w.sock")
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert await reader.read() == b""
    writer.close()
    server.close()
