"""The shipper against a real PostgreSQL: every record once, whatever is killed between."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from structlog.testing import capture_logs

from gateway.control import shipper as module
from gateway.control.shipper import Shipper, run_shipper
from gateway.gate.records import DecisionRecord
from gateway.settings import Settings
from gateway.store.embedded.postgres import EmbeddedPostgres
from gateway.store.journal.reader import MAX_BATCH, READ_BYTES
from gateway.store.sql.calls import find_calls
from gateway.store.sql.engine import make_engine
from gateway.store.sql.evidence import Checkpoint, Shipped, ShippedRow, partition_name, ship
from gateway.store.sql.verify import verify_evidence
from gateway.telemetry.stats_socket import fetch_stats
from tests.support.database import count, stored
from tests.support.journals import decision, fill, open_at, outcome, segments, write
from tests.support.redis_fixtures import until


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

    async def lost(
        connection: AsyncConnection, journal: str, rows: Sequence[ShippedRow], checkpoint: Checkpoint
    ) -> Shipped:
        await ship(connection, journal, rows, checkpoint)
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

    async def cut(*arguments: object) -> Shipped:
        raise error

    monkeypatch.setattr(module, "ship", cut)
    shipper = Shipper(tmp_path, engine)
    assert await shipper.ship_all() == 0
    assert "cut off" in shipper.away and not shipper.problems()
    monkeypatch.undo()
    assert await shipper.ship_all() == 3
    assert not shipper.away


def stranger(number: int, length: int = 6_000) -> DecisionRecord:
    """A decision on an INVITE with a Call-ID that does not compress."""
    record = decision(number)
    record.call_id = "".join(hashlib.sha256(b"%d-%d" % (number, part)).hexdigest() for part in range(100))[:length]
    return record


async def test_a_call_id_of_6000_characters_stops_nothing(engine: AsyncEngine, tmp_path: Path) -> None:
    writer, _ = open_at(tmp_path / "n-0")
    write(writer, decision(1), stranger(2), decision(3))
    writer.close()
    shipper = Shipper(tmp_path, engine)
    with capture_logs() as logs:
        assert await shipper.ship_all() == 3
    assert not shipper.problems() and logs == []
    assert [call.decision for call in await find_calls(engine, call_id=stranger(2).call_id)] == [stranger(2)]


async def test_a_record_postgresql_will_not_take_is_shipped_bare_and_told_once_a_minute(
    migrated_url: str, engine: AsyncEngine, tmp_path: Path
) -> None:
    raw = await asyncpg.connect(migrated_url)
    await raw.execute("CREATE INDEX whole_call_id ON evidence (call_id)")  # what poisons
    await raw.close()
    now = [1_000.0]
    shipper = Shipper(tmp_path, engine, clock=lambda: now[0])
    writer, _ = open_at(tmp_path / "n-0")
    with capture_logs() as logs:
        for number in range(0, 40, 4):
            write(writer, decision(number + 1), stranger(number + 2, 5_000 + number), decision(number + 3))
            assert await shipper.ship_all() == 3
            assert not shipper.problems()
            now[0] += 10.0
    writer.close()
    assert [line["so_far"] for line in logs] == [1, 7]
    assert all("54000" in line["problem"] and len(line["problem"]) < 300 for line in logs)
    (found,) = await verify_evidence(engine)
    assert (found.records, found.problem) == (30, "")


async def test_a_lasting_problem_is_logged_once_a_minute_whatever_its_text(
    engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "n-0", 3)
    now, texts = [1_000.0], itertools.count()

    async def refuse(*arguments: object) -> Shipped:
        raise asyncpg.DiskFullError(f"could not extend file, {next(texts)} bytes left\nDETAIL: {'x' * 1_000}")

    monkeypatch.setattr(module, "ship", refuse)
    shipper = Shipper(tmp_path, engine, clock=lambda: now[0])
    with capture_logs() as logs:
        for _ in range(150):
            await shipper.ship_all()
            now[0] += 1.0
    assert len(logs) == 3 and all(len(line["problem"]) < 300 for line in logs)
    assert "DiskFullError 53100: could not extend file, 149 bytes left" in shipper.problems()["n-0"]
    monkeypatch.undo()
    assert await shipper.ship_all() == 3 and not shipper.problems()


async def test_records_of_a_new_day_of_yesterday_and_of_40_days_ago(engine: AsyncEngine, tmp_path: Path) -> None:
    """Each day's partition is made when its first record comes, whichever day that is and in whatever order."""
    day = 86_400.0
    midnight = time.time() // day * day
    at = [midnight - 1e-3, midnight, midnight - 40 * day, midnight + day - 1e-3, midnight + day, midnight - day]
    writer, _ = open_at(tmp_path / "n-0")
    shipper = Shipper(tmp_path, engine)
    write(writer, *(decision(number, at=time) for number, time in enumerate(at[:3], 1)))
    assert await shipper.ship_all() == 3
    write(writer, *(decision(number, at=time) for number, time in enumerate(at[3:], 4)))
    writer.close()
    assert await shipper.ship_all() == 3
    assert not shipper.problems() and not shipper.away
    days = Counter(partition_name(datetime.fromtimestamp(second, UTC).date()) for second in at)
    assert len(days) == 4
    for partition, records in days.items():
        assert await count(engine, partition) == records
    calls = await find_calls(engine)
    assert [call.decision.at for call in calls] == sorted((int(second * 1e6) for second in at), reverse=True)
    (found,) = await verify_evidence(engine)
    assert (found.records, found.problem) == (6, "")


async def test_a_batch_is_bounded_in_bytes(
    engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strangers choose how long records are."""
    sizes: list[int] = []

    async def measured(
        connection: AsyncConnection, journal: str, rows: Sequence[ShippedRow], checkpoint: Checkpoint
    ) -> Shipped:
        sizes.append(sum(len(row.payload) for row in rows))
        return await ship(connection, journal, rows, checkpoint)

    monkeypatch.setattr(module, "ship", measured)
    writer, _ = open_at(tmp_path / "n-0", segment_bytes=1 << 30)
    payload = b'{"kind":"x","at":1700000000000000,"a":"%b"}' % (b"a" * (1 << 17))
    for _ in range(300):
        writer.append(payload)
    writer.commit()
    writer.close()
    assert await Shipper(tmp_path, engine).ship_all() == 300
    assert len(sizes) == 3 and max(sizes) < MAX_BATCH + READ_BYTES


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
