"""The shipper against a real PostgreSQL: every record once, whatever is killed between."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.control import shipper as module
from gateway.control.shipper import Shipper, run_shipper
from gateway.settings import Settings
from gateway.store.embedded.postgres import EmbeddedPostgres
from gateway.store.sql.engine import make_engine
from gateway.store.sql.evidence import Checkpoint, ShippedRow
from gateway.store.sql.verify import verify_evidence
from gateway.telemetry.stats_socket import fetch_stats
from tests.support.journals import decision, fill, open_at, outcome, segments, write
from tests.support.redis_fixtures import until


@pytest.fixture
async def engine(migrated_url: str) -> AsyncIterator[AsyncEngine]:
    engine = make_engine(migrated_url, pool_size=1)
    yield engine
    await engine.dispose()


async def stored(engine: AsyncEngine) -> list[tuple[str, int]]:
    async with engine.connect() as connection:
        rows = await connection.execute(text("SELECT journal, seq FROM evidence ORDER BY journal, seq"))
        return [(row[0], row[1]) for row in rows]


async def test_all_journals_across_segments(engine: AsyncEngine, tmp_path: Path) -> None:
    fill(tmp_path / "n-0", 30, segment_bytes=1_500)
    fill(tmp_path / "n-1", 5)
    shipper = Shipper(tmp_path, engine)
    assert shipper.backlog() == {} or shipper.backlog() == {"n-0": 30, "n-1": 5}
    assert await shipper.ship_all() == 35
    assert await stored(engine) == [("n-0", n) for n in range(1, 31)] + [("n-1", n) for n in range(1, 6)]
    assert shipper.backlog() == {"n-0": 0, "n-1": 0} and not shipper.problems() and not shipper.away
    assert await shipper.ship_all() == 0
    assert [(found.journal, found.records, found.problem) for found in await verify_evidence(engine)] == [
        ("n-0", 30, ""),
        ("n-1", 5, ""),
    ]


async def test_follows_a_live_journal_and_survives_its_own_restarts(engine: AsyncEngine, tmp_path: Path) -> None:
    writer, _ = open_at(tmp_path / "n-0", segment_bytes=1_500)
    for number in range(1, 40):
        write(writer, decision(number), outcome(number))
        assert await Shipper(tmp_path, engine).ship_all() == 2  # a new process each time
    writer.close()
    assert [seq for _, seq in await stored(engine)] == list(range(1, 79))


async def test_a_batch_that_was_stored_but_not_heard_of_is_not_stored_again(
    engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "n-0", 10)
    real = module.ship

    async def lost(
        connection: AsyncConnection, journal: str, rows: Sequence[ShippedRow], checkpoint: Checkpoint
    ) -> int:
        await real(connection, journal, rows, checkpoint)
        await connection.commit()
        raise ConnectionResetError("the answer to COMMIT was lost")

    monkeypatch.setattr(module, "ship", lost)
    shipper = Shipper(tmp_path, engine)
    assert await shipper.ship_all() == 0
    assert "was lost" in shipper.away
    monkeypatch.undo()
    assert await shipper.ship_all() == 0
    assert [seq for _, seq in await stored(engine)] == list(range(1, 11))
    assert not shipper.away


async def test_two_shippers_at_once(migrated_url: str, engine: AsyncEngine, tmp_path: Path) -> None:
    fill(tmp_path / "n-0", 200, segment_bytes=5_000)
    other = make_engine(migrated_url, pool_size=1)
    counts = await asyncio.gather(Shipper(tmp_path, engine).ship_all(), Shipper(tmp_path, other).ship_all())
    await other.dispose()
    assert sum(counts) == 200
    assert [seq for _, seq in await stored(engine)] == list(range(1, 201))


async def test_shipped_segments_are_dropped_when_old_enough(engine: AsyncEngine, tmp_path: Path) -> None:
    fill(tmp_path / "n-0", 30, segment_bytes=1_500)
    paths = segments(tmp_path / "n-0")
    await Shipper(tmp_path, engine).ship_all()
    assert segments(tmp_path / "n-0") == paths  # a restarted worker still reads them back
    for path in paths:
        os.utime(path, (10, 10))
    shipper = Shipper(tmp_path, engine)
    await shipper.ship_all()
    assert segments(tmp_path / "n-0") == paths[-1:]
    writer, recovery = open_at(tmp_path / "n-0", segment_bytes=1_500)
    assert recovery.records == 30
    write(writer, decision(31))
    writer.close()
    assert await shipper.ship_all() == 1
    assert [found.problem for found in await verify_evidence(engine)] == [""]


async def test_a_broken_journal_stops_no_other(engine: AsyncEngine, tmp_path: Path) -> None:
    fill(tmp_path / "n-0", 30, segment_bytes=1_500)
    fill(tmp_path / "n-1", 5)
    second = segments(tmp_path / "n-0")[1]
    content = second.read_bytes()
    second.write_bytes(content.replace(b"cc-alpha", b"cc-alphx"))
    shipper = Shipper(tmp_path, engine)
    before = await shipper.ship_all()
    await shipper.ship_all()
    assert 5 < before < 35
    assert "was altered" in shipper.problems()["n-0"] and list(shipper.problems()) == ["n-0"]
    assert shipper.backlog()["n-1"] == 0 and shipper.backlog()["n-0"] > 0
    second.write_bytes(content)  # somebody put the copy back
    assert await shipper.ship_all() == 35 - before
    assert not shipper.problems()


@pytest.mark.parametrize("error", [asyncpg.ConnectionDoesNotExistError("cut off"), asyncpg.InterfaceError("cut off")])
async def test_a_copy_that_is_cut_off(
    engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """COPY goes past SQLAlchemy, and so do its errors."""
    fill(tmp_path / "n-0", 3)

    async def cut(*arguments: object) -> int:
        raise error

    monkeypatch.setattr(module, "ship", cut)
    shipper = Shipper(tmp_path, engine)
    assert await shipper.ship_all() == 0
    assert "cut off" in shipper.problems()["n-0"]
    monkeypatch.undo()
    assert await shipper.ship_all() == 3
    assert not shipper.problems()


async def test_another_journal_under_the_same_name(engine: AsyncEngine, tmp_path: Path) -> None:
    fill(tmp_path / "a" / "n-0", 5)
    await Shipper(tmp_path / "a", engine).ship_all()
    writer, _ = open_at(tmp_path / "b" / "n-0")
    for number in range(20, 30):
        write(writer, decision(number))
    writer.close()
    shipper = Shipper(tmp_path / "b", engine)
    await shipper.ship_all()
    assert shipper.problems()
    assert [seq for _, seq in await stored(engine)] == list(range(1, 6))


async def test_run_shipper_ships_counts_and_stops(migrated_url: str, engine: AsyncEngine, tmp_path: Path) -> None:
    settings = Settings()
    settings = replace(
        settings,
        node=replace(settings.node, state_dir=str(tmp_path)),
        database=replace(settings.database, url=migrated_url),
    )
    writer, _ = open_at(settings.journal_dir / "n-0")
    stop = asyncio.Event()
    running = asyncio.ensure_future(run_shipper(settings, stop))
    write(writer, decision(1))
    await until(settings.shipper_socket.exists)
    async with asyncio.timeout(10):
        while await stored(engine) != [("n-0", 1)]:  # noqa: ASYNC110 (another connection)
            await asyncio.sleep(0.02)
    fetched = await fetch_stats(settings.shipper_socket, 5.0)
    assert fetched is not None and fetched.samples["callgate_journal_shipped_total"] == [(("n-0",), 1.0)]
    write(writer, decision(2))
    stop.set()
    await asyncio.wait_for(running, 10)
    assert len(await stored(engine)) == 2
    writer.close()


async def test_the_counters(engine: AsyncEngine, tmp_path: Path) -> None:
    fill(tmp_path / "n-0", 3)
    shipper = Shipper(tmp_path, engine)
    await shipper.ship_all()
    snapshot = shipper.snapshot()
    assert snapshot.samples["callgate_journal_shipped_total"] == [(("n-0",), 3.0)]
    assert snapshot.samples["callgate_journal_backlog_records"] == [(("n-0",), 0.0)]


async def test_postgresql_killed_while_shipping(tmp_path: Path) -> None:
    """Calls go on, records wait on disk, and all are there once when it is back."""
    from gateway.store.sql.migrate import migrate

    server = EmbeddedPostgres(tmp_path / "state", durable=True)
    server.start()
    engine = make_engine(server.url, pool_size=1)
    try:
        await migrate(server.url)
        writer, _ = open_at(tmp_path / "journal" / "n-0", segment_bytes=20_000)
        shipper = Shipper(tmp_path / "journal", engine)
        write(writer, decision(1))
        assert await shipper.ship_all() == 1
        server.stop()
        for number in range(2, 500):
            write(writer, decision(number))
        assert await shipper.ship_all() == 0
        assert shipper.away and not shipper.problems()
        assert shipper.backlog() == {"n-0": 499}
        server.start()
        async with asyncio.timeout(20):
            while len(await _stored_or_none(engine)) < 499:
                await shipper.ship_all()
        assert [seq for _, seq in await stored(engine)] == list(range(1, 500))
        assert not shipper.away
        writer.close()
    finally:
        await engine.dispose()
        server.stop()


async def _stored_or_none(engine: AsyncEngine) -> list[tuple[str, int]]:
    with suppress(Exception):
        return await stored(engine)
    return []
