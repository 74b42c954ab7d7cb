"""Readiness: each missing part is named, and a part that hangs costs the deadline only."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from gateway.control.health import Health, Missing, Report
from gateway.control.importer.problems import NO_PACK
from gateway.telemetry.collector import StatsHub
from gateway.telemetry.metrics import WorkerStats
from gateway.telemetry.stats_socket import serve_stats


async def fine() -> None:
    return None


async def away() -> None:
    raise ConnectionRefusedError("nobody there\nsecond line")


async def hangs() -> None:
    await asyncio.Event().wait()


async def nothing_missing() -> str:
    return ""


async def check(
    tmp_path: Path, stats: WorkerStats | None, missing: Missing = nothing_missing, **stores: object
) -> Report:
    hub = StatsHub({"worker-0": tmp_path / "w", "shipper": tmp_path / "s"}, 0.1)
    server = await serve_stats(tmp_path / "w", stats.snapshot) if stats else None
    pings = {"redis": fine, "database": fine} | stores
    report = await Health(hub, pings, missing, 0.05).check()  # type: ignore[arg-type]
    if server:
        server.close()
    return report


def good() -> WorkerStats:
    stats = WorkerStats(0)
    stats.registry_version, stats.dataset_epoch, stats.redis_up = 4, 1, True
    return stats


async def test_ready_when_everything_answers(tmp_path: Path) -> None:
    report = await check(tmp_path, good())
    assert report.ready
    assert report.as_json() == {
        "ready": True,
        "status": "ready",
        "parts": {
            "worker-0": {"ok": True, "detail": "registry version 4"},
            "redis": {"ok": True, "detail": "answers"},
            "database": {"ok": True, "detail": "answers"},
        },
    }


async def test_each_fault_is_named(tmp_path: Path) -> None:
    no_registry, no_redis, no_data, drains, no_disk, other_key = (good() for _ in range(6))
    no_both = good()
    no_both.registry_version, no_both.redis_up = 0, False
    no_disk.journal_writable = False
    other_key.keys_match = False
    other_key.registry_version = 0
    no_registry.registry_version = 0
    no_redis.redis_up = False
    no_data.dataset_epoch = 0
    drains.draining = True
    for stats, detail in (
        (None, "does not answer"),
        (no_registry, "has no registry yet"),
        (no_both, "has no registry yet, and no link to Redis to get it by"),
        (no_redis, "has no link to Redis"),
        (no_data, "has seen no complete data set in Redis yet"),
        (drains, "drains"),
        (no_disk, "evidence cannot be written: new calls are refused"),
        (other_key, "pseudonym key differs from the data set's: put back its key file"),
    ):
        report = await check(tmp_path, stats)
        assert not report.ready
        assert report.parts["worker-0"].detail == detail


async def test_stores_away_or_hanging(tmp_path: Path) -> None:
    report = await check(tmp_path, good(), redis=away, database=hangs)
    assert not report.ready
    assert report.parts["worker-0"].ok
    assert report.parts["redis"].detail == "ConnectionRefusedError: nobody there"
    assert report.parts["database"].detail == "no answer within 0.05 s"


async def test_without_postgresql_alone_the_node_is_degraded_and_takes_calls(tmp_path: Path) -> None:
    report = await check(tmp_path, good(), database=away)
    assert (report.ready, report.status, report.parts["database"].ok) == (True, "degraded", False)
    assert (await check(tmp_path, None, database=away)).status == "not ready"


async def test_a_question_that_cannot_be_cancelled_costs_the_deadline_only() -> None:
    asked = 0
    thawed = asyncio.Event()

    async def frozen() -> None:
        nonlocal asked
        asked += 1
        while not thawed.is_set():
            with suppress(asyncio.CancelledError):  # a driver that waits for the server to take the cancel request
                await thawed.wait()

    health = Health(StatsHub({}, 0.1), {"database": frozen}, None, 0.05)
    async with asyncio.timeout(1.0):
        for _ in range(3):
            assert (await health.check()).parts["database"].detail == "no answer within 0.05 s"
    assert asked == 1, "not asked again while the first question waits"
    thawed.set()
    assert (await health.check()).parts["database"].ok


async def test_what_has_yet_to_be_imported_is_named(tmp_path: Path) -> None:
    async def no_pack() -> str:
        return NO_PACK

    async def no_answer() -> str:
        raise ConnectionRefusedError

    report = await check(tmp_path, good(), no_pack)
    assert not report.ready
    assert report.parts["imports"].detail == "no rule pack imported: callgate import pack FILE"
    for silent in (no_answer, nothing_missing):
        assert "imports" not in (await check(tmp_path, good(), silent)).parts
