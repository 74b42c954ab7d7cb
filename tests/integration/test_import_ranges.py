"""`import ranges`: the same checks, guards and history as for a registry file."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.importer import ImportRefused
from gateway.control.importer.ranges_csv import write_ranges
from gateway.control.importer.registry import import_ranges
from gateway.control.importer.uploaded import import_uploaded
from gateway.registry.model import NumberRange
from gateway.store.ports import Conflict
from gateway.store.sql.registry import load_snapshot
from gateway.store.sql.registry_versions import snapshot_at, version_rows
from tests.support.database import KEYS, count, engine_on

HEAD = "id,first,last,operator,trunks,outbound,purposes,certificate\n"
NEW = "new-{n},+865715555{n:02d}00,+865715555{n:02d}99,alpha,cc-alpha,false,consultation,C-{n}\n"


async def ranges_of(engine: AsyncEngine) -> dict[str, NumberRange]:
    async with engine.connect() as connection:
        return {row.id: row for row in (await load_snapshot(connection)).ranges}


def file_of(path: Path, *numbers: int) -> Path:
    path.write_text(HEAD + "".join(NEW.format(n=number) for number in numbers))
    return path


async def test_added_changed_exported_and_put_back(migrated_url: str, tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    async with engine_on(migrated_url) as engine:
        before = await ranges_of(engine)
        tried = await import_ranges(engine, file_of(path, 1, 2), "clerk", dry_run=True)
        assert (tried.dry_run, tried.changed, tried.added, tried.differences) == (
            True, 2, 2, ("range new-1: new", "range new-2: new"),
        )  # fmt: skip
        assert await ranges_of(engine) == before
        done = await import_ranges(engine, path, "clerk")
        assert (done.rows, done.changed, done.version) == (2, 2, 2)
        assert (await import_ranges(engine, path, "clerk")).changed == 0
        after = await ranges_of(engine)
        assert after.keys() - before.keys() == {"new-1", "new-2"} and after["new-1"].certificate == "C-1"
        path.write_text(path.read_text().replace("C-2", "C-9"))
        tried = await import_ranges(engine, path, "clerk", dry_run=True)
        assert tried.differences == ("range new-2: certificate 'C-2' -> 'C-9'",)
        out = io.StringIO()
        write_ranges(out, after.values())
        path.write_text(out.getvalue())
        assert (await import_ranges(engine, path, "clerk", whole=True)).changed == 0
        async with engine.connect() as connection:
            rows = await version_rows(connection)
            assert (rows[0].action, rows[0].subject, rows[0].changed) == ("import.ranges", "r.csv", 2)
            old = await snapshot_at(connection, await load_snapshot(connection), 1)
        assert {row.id: row for row in old.ranges} == before
        assert await count(engine, "audit WHERE action = 'import.ranges'") == 1


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("x,+8657112345000,+8657112345999,alpha,cc-alpha,true,consultation,", "overlaps range"),
        ("x,+8657155550100,+8657155550199,gamma,cc-alpha,true,consultation,", "line 2: range x.operator: 'gamma'"),
        ("x,+8657155550100,+8657155550199,alpha,nowhere,true,consultation,", "line 2: range x.trunks: 'nowhere'"),
        ("x,+8657155550199,+8657155550100,alpha,cc-alpha,true,consultation,", "line 2: range x.last: "),
        ("x,+8657155550100,+8657155550199,alpha,cc-alpha,true,consultation,a\x1fb", "line 2: range x.certificate: "),
    ],
)
async def test_refused_whole(migrated_url: str, tmp_path: Path, row: str, said: str) -> None:
    path = tmp_path / "r.csv"
    path.write_text(HEAD + row + "\n" + NEW.format(n=7))
    async with engine_on(migrated_url) as engine:
        before = await ranges_of(engine)
        with pytest.raises(ImportRefused) as refused:
            await import_ranges(engine, path, "clerk")
        assert said in str(refused.value) and str(path) in str(refused.value)
        assert await ranges_of(engine) == before


async def test_what_would_take_much_away_is_refused(migrated_url: str, tmp_path: Path) -> None:
    async with engine_on(migrated_url) as engine:
        path = file_of(tmp_path / "r.csv", 1)
        with pytest.raises(Conflict, match="allow-shrink"):
            await import_ranges(engine, path, "clerk", whole=True)
        await import_ranges(engine, path, "clerk", whole=True, allow_shrink=True)
        assert set(await ranges_of(engine)) == {"new-1"}
        async with engine.connect() as connection:
            assert len((await load_snapshot(connection)).trunks) == 3  # a file of ranges says nothing of trunks


async def test_an_upload_opens_no_range(migrated_url: str, tmp_path: Path) -> None:
    path = file_of(tmp_path / "r.csv", 1)
    async with engine_on(migrated_url) as engine:
        path.write_text(path.read_text().replace("false", "true"))
        with pytest.raises(ImportRefused, match=r"line 2: range new-1\.outbound: .* takes a second person"):
            await import_uploaded(engine, "ranges", path, KEYS, "clerk")
        path.write_text(path.read_text().replace("true", "false"))
        assert (await import_uploaded(engine, "ranges", path, KEYS, "clerk", dry_run=True)).rows == 1
        assert (await import_uploaded(engine, "ranges", path, KEYS, "clerk")).changed == 1
