"""Durability: the thread syncs what was committed before, groups share a sync, callbacks come in the loop."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from gateway.store.journal.recovery import open_journal
from tests.support.journals import NOW, decision, fill, open_at, segments, write


async def test_always_calls_back_in_the_loop_after_the_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    writer, _ = open_journal(tmp_path / "n-0", keep_seconds=1, now=NOW, post=loop.call_soon_threadsafe, sync="always")
    assert writer.waits_for_sync
    order: list[str] = []
    real = os.fdatasync

    def slow(fd: int) -> None:
        real(fd)
        order.append("sync")

    monkeypatch.setattr(os, "fdatasync", slow)
    home = threading.get_ident()
    done = loop.create_future()

    def synced(error: OSError | None) -> None:
        assert error is None and threading.get_ident() == home
        order.append("told")
        done.set_result(None)

    write(writer, decision(1))
    writer.on_synced(synced)
    await asyncio.wait_for(done, 5)
    assert order[-1] == "told" and "sync" in order
    await asyncio.to_thread(writer.close)


def test_calls_that_wait_share_syncs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Group commit: while one sync runs, the next group gathers."""
    running, go_on = threading.Event(), threading.Event()
    syncs: list[int] = []

    def held(fd: int) -> None:
        syncs.append(fd)
        running.set()
        go_on.wait(5)

    writer, _ = open_at(tmp_path / "n-0")
    monkeypatch.setattr(os, "fdatasync", held)
    told: list[OSError | None] = []
    all_told = threading.Event()

    def synced(error: OSError | None) -> None:
        told.append(error)
        if len(told) == 51:
            all_told.set()

    write(writer, decision(0))
    writer.on_synced(synced)
    assert running.wait(5)
    for number in range(1, 51):
        write(writer, decision(number))
        writer.on_synced(synced)
    assert not [error for error in told if error] and len(told) <= 1
    go_on.set()
    assert all_told.wait(5)
    assert len(syncs) <= 4
    writer.close()


def test_every_segment_is_synced_and_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: set[int] = set()
    real = os.fdatasync

    def noting(fd: int) -> None:
        synced.add(os.fstat(fd).st_ino)
        real(fd)

    monkeypatch.setattr(os, "fdatasync", noting)
    before = len(os.listdir("/proc/self/fd"))
    fill(tmp_path / "n-0", 30, segment_bytes=2_000)
    assert synced == {path.stat().st_ino for path in segments(tmp_path / "n-0")}
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_closed_loop_does_not_stop_the_thread(tmp_path: Path) -> None:
    loop = asyncio.new_event_loop()
    writer, _ = open_journal(tmp_path / "n-0", keep_seconds=1, now=NOW, post=loop.call_soon_threadsafe, sync="always")
    loop.close()
    write(writer, decision(1))
    writer.on_synced(lambda error: None)
    writer.close()
    assert writer.sync_errors == 1
