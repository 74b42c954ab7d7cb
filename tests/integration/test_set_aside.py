"""Records that cannot be read any more: set aside by a command, shipping goes on, and every check names the gap."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.cli.evidence import _set_aside, _verify
from gateway.control.shipper import Shipper
from gateway.settings import Node, Settings
from gateway.store.ports import StoreError
from gateway.store.sql.engine import make_engine
from gateway.store.sql.verify import verify_evidence
from tests.support.journals import decision, fill, open_at, segments, write

RECORDS = 30


async def test_shipping_goes_on_and_the_gap_is_named(migrated_url: str, tmp_path: Path) -> None:
    settings = Settings(node=Node(state_dir=str(tmp_path)))
    directory = settings.journal_dir / "n-0"
    fill(directory, RECORDS, segment_bytes=1_500)
    engine = make_engine(migrated_url, pool_size=2)
    try:
        shipper = Shipper(settings.journal_dir, engine)
        damaged = next(path for path in segments(directory)[1:] if b"call-8" in path.read_bytes())
        damaged.write_bytes(damaged.read_bytes().replace(b"call-8", b"call-X"))
        before = await shipper.ship_all()
        await shipper.ship_all()
        assert 0 < before < RECORDS and "evidence set-aside n-0" in shipper.problems()["n-0"]

        (gap,) = await _set_aside(settings, engine, "n-0", "auditor@example")
        assert (gap.first, gap.last) == (8, 8)
        assert before + await shipper.ship_all() == RECORDS and not shipper.problems()
        writer, _ = open_at(directory)
        write(writer, decision(RECORDS + 1))
        writer.close()
        assert await shipper.ship_all() == 1

        (found,) = await verify_evidence(engine)
        assert (found.records, found.last) == (RECORDS + 1, RECORDS + 1)
        assert found.problem.startswith("records 8 to 8 are missing, and were set aside: ")
        stored, on_disk = await _verify(settings, engine)
        for item, where in ((stored, "database"), (on_disk, "disk")):
            assert item["where"] == where
            assert "records 8 to 8 are missing, and were set aside" in str(item["problem"])
        async with engine.connect() as connection:
            rows = (await connection.execute(text("SELECT principal, action, object, detail FROM audit"))).all()
        assert [tuple(row[:3]) for row in rows] == [("auditor@example", "evidence.set-aside", "n-0")]
        assert (rows[0][3]["first"], rows[0][3]["last"]) == (8, 8)
        assert await _set_aside(settings, engine, "n-0", "auditor@example") == []
        for name in ("n-9", "../n-0", ""):
            with pytest.raises(StoreError, match="fix: name one of n-0"):
                await _set_aside(settings, engine, name, "auditor@example")
    finally:
        await engine.dispose()


async def test_a_journal_cut_on_disk_after_it_was_shipped_is_found(migrated_url: str, tmp_path: Path) -> None:
    settings = Settings(node=Node(state_dir=str(tmp_path)))
    fill(settings.journal_dir / "n-0", 5)
    engine = make_engine(migrated_url, pool_size=2)
    try:
        await Shipper(settings.journal_dir, engine).ship_all()
        assert [item["problem"] for item in await _verify(settings, engine)] == ["", ""]
        (path,) = segments(settings.journal_dir / "n-0")
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
        stored, on_disk = await _verify(settings, engine)
        assert stored["problem"] == ""
        assert "record 5 was here once, the last one now is 4" in str(on_disk["problem"])
    finally:
        await engine.dispose()
