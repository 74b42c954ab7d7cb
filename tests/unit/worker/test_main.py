"""A worker that was put together and not started: its own hosts, and how its faults are counted."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import monotonic
from typing import Literal

import pytest

from gateway.proxy.overload import PERIOD_S
from gateway.registry.model import Snapshot
from gateway.registry.ranges import RangeTable
from gateway.settings import Listener, Settings
from gateway.worker.faults import LOGGED_EACH, MAX_LOGGED
from gateway.worker.from_settings import own_hosts
from gateway.worker.switching import switch
from tests.unit.worker.built import built


class Log:
    """Events by name."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def error(self, event: str, **fields: object) -> None:
        self.events.append(event)


async def test_faults_are_counted_and_not_logged_without_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log()
    monkeypatch.setattr("gateway.worker.faults._log", log)
    with built(tmp_path, asyncio.get_running_loop()) as worker:
        for _ in range(LOGGED_EACH + 1):
            worker.faults.message(RuntimeError("x"))
            worker.faults.rule("purpose", RuntimeError("y"))
        worker.faults.task("redis link", RuntimeError("z"))
        assert worker.stats.errors == {"message": LOGGED_EACH + 1, "redis link": 1}
        assert worker.stats.rule_errors == {"purpose": LOGGED_EACH + 1}
    assert [log.events.count(event) for event in ("fault", "rule failed")] == [MAX_LOGGED + 2, MAX_LOGGED + 1]


async def test_a_verdict_that_cannot_be_told_does_not_keep_the_turn_from_ending(tmp_path: Path) -> None:
    """`journal.sync = always`: what the sync thread posts ends a turn, come what may."""

    def act(error: OSError | None) -> None:
        raise RuntimeError("ours")

    with built(tmp_path, asyncio.get_running_loop(), sync="always") as worker:
        ended = asyncio.Event()
        worker.edge.before_send = lambda now: ended.set()
        worker._when_safe(act)
        async with asyncio.timeout(10):
            await ended.wait()
        assert worker.stats.errors == {"message": 1}


async def test_each_turn_tells_admission_control_how_long_messages_wait(tmp_path: Path) -> None:
    with built(tmp_path, asyncio.get_running_loop()) as worker:
        began = monotonic()
        for period in (1, 2, 3):
            now = began + period * 1.1 * PERIOD_S
            worker.edge.lag.timer(0.5, now)
            worker.edge.end_turn(now)
        assert worker.core.overload.shedding


@pytest.mark.parametrize("sync", ["interval", "always"])
async def test_a_verdict_waits_for_the_disk_only_where_the_settings_ask(
    tmp_path: Path, sync: Literal["interval", "always"]
) -> None:
    with built(tmp_path, asyncio.get_running_loop(), sync=sync) as worker:
        assert (worker.keeper.when_safe is not None) is (sync == "always")


async def test_a_snapshot_whose_pack_is_broken_is_refused_whole(tmp_path: Path) -> None:
    with built(tmp_path, asyncio.get_running_loop()) as worker:
        with pytest.raises(ValueError, match="pack example of registry version 9"):
            switch(worker, Snapshot(9, packs={"example": "id ="}), RangeTable())
        assert (worker.book, worker.stats.registry_version, worker.listening) == (None, 0, False)


def test_own_hosts_as_a_uri_has_them() -> None:
    settings = Settings(
        listener=(
            Listener(name="a", address="127.0.0.1", advertised_host="GATE.Example"),
            Listener(name="b", address="2001:DB8::1", advertised_host="gate6.example"),
            Listener(name="c", address="::1"),
        )
    )
    assert own_hosts(settings) == [
        *(b"gate.example", b"127.0.0.1", b"gate6.example", b"[2001:db8::1]", b"[::1]", b"[::1]")
    ]
