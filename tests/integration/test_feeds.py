"""Decline feeds by version, wishes by home operator: what each may touch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.importer import (
    ImportRefused,
    ImportReport,
    add_refusal,
    define_feed,
    import_feed,
    list_feeds,
    roll_back,
    set_wish,
    wishes_of,
    withdraw_wish,
)
from gateway.store.sql.registry import load_snapshot
from tests.support.database import ALICE, BOB, CAROL, KEYS, count, engine_on, staging_tables

HEADER = "callee,scope,value,event,source,registered_at,band\n"
IN_FORCE = "refusals WHERE declared_at >= coalesce(withdrawn_at, '-infinity')"


async def take(
    engine: AsyncEngine, tmp_path: Path, version: int, *rows: str, full: bool = True, allow_shrink: bool = False,
    dry_run: bool = False, issued_at: datetime | None = None,
) -> ImportReport:  # fmt: skip
    path = tmp_path / f"feed-{version}.csv"
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return await import_feed(
        engine, path, KEYS, "test", "national", version, full=full, allow_shrink=allow_shrink, dry_run=dry_run,
        issued_at=issued_at,
    )  # fmt: skip


async def standing(engine: AsyncEngine) -> set[tuple[str, ...]]:
    async with engine.connect() as connection:
        rows = await connection.execute(text(f"SELECT scope, value, band, list FROM {IN_FORCE}"))
        return {tuple(row) for row in rows}


async def test_full_and_delta_versions(migrated_url: str, tmp_path: Path) -> None:
    async with engine_on(migrated_url) as engine:
        await define_feed(engine, "national", "test", max_shrink=0.5)
        await add_refusal(engine, KEYS, ALICE, "all", principal="test")
        await take(engine, tmp_path, 3, f"{ALICE},all,,,,,", f"{BOB},category,consultation,,,,", f"{CAROL},all,,,,,")
        prefix = f"{ALICE},caller_prefix,+86571,,,,mon-fri 12:00-14:00"
        delta = [f"{ALICE},all,,withdraw,,2024-01-01T00:00:00Z,", prefix]
        report = await take(engine, tmp_path, 4, *delta, full=False)
        assert (report.rows, report.changed, report.version) == (2, 2, 4)
        assert await standing(engine) == {
            ("all", "", "", ""), ("category", "consultation", "", "feed:national"), ("all", "", "", "feed:national"),
            ("caller_prefix", "+86571", "mon,tue,wed,thu,fri 12:00-14:00", "feed:national"),
        }  # fmt: skip
        await take(engine, tmp_path, 5, f"{CAROL},all,,,,,", f"{BOB},category,consultation,,,,")
        (state,) = await list_feeds(engine)
        assert (state.version, state.rows) == (5, 2)
        assert len(await standing(engine)) == 3, "and alice's own"
        done = await roll_back(engine, "feed:national", 3, "test")
        assert done.undone == (5, 4)
        assert await count(engine, f"{IN_FORCE} AND list = 'feed:national'") == 3
        (state,) = await list_feeds(engine)
        assert (state.version, state.rows) == (3, 3)
        await take(engine, tmp_path, 4, *delta, full=False)
        assert await staging_tables(engine) == 0


async def test_versions_that_do_not_follow_are_refused(migrated_url: str, tmp_path: Path) -> None:
    async with engine_on(migrated_url) as engine:
        with pytest.raises(ImportRefused, match="is not known: callgate feed define national"):
            await take(engine, tmp_path, 1, f"{ALICE},all,,,,,")
        await define_feed(engine, "national", "test")
        with pytest.raises(ImportRefused, match="import a full version first"):
            await take(engine, tmp_path, 1, f"{ALICE},all,,,,,", full=False)
        await take(engine, tmp_path, 7, *(f"+861380013{n:04d},all,,,,," for n in range(10)))
        with pytest.raises(ImportRefused, match="version: 9: version 8 is expected, or a full one"):
            await take(engine, tmp_path, 9, f"{ALICE},all,,,,,", full=False)
        with pytest.raises(ImportRefused, match="version: 7: write a version above 7"):
            await take(engine, tmp_path, 7, f"{ALICE},all,,,,,")
        with pytest.raises(ImportRefused, match="7 of 10 rows would go, more than 20%"):
            await take(engine, tmp_path, 8, *(f"+861380013{n:04d},all,,,,," for n in range(3)))
        assert await count(engine, IN_FORCE) == 10
        with pytest.raises(ImportRefused, match="a full version lists what stands"):
            await take(engine, tmp_path, 8, f"{ALICE},all,,withdraw,,2024-01-01T00:00:00Z,")
        with pytest.raises(ImportRefused, match="issued_at"):
            await take(engine, tmp_path, 8, issued_at=datetime.now(UTC) + timedelta(minutes=10))
        tried = await take(engine, tmp_path, 8, *(f"+861380013{n:04d},all,,,,," for n in range(9)), dry_run=True)
        assert (tried.changed, tried.unchanged) == (1, 9)
        await take(engine, tmp_path, 8, *(f"+861380013{n:04d},all,,,,," for n in range(3)), allow_shrink=True)
        assert await count(engine, IN_FORCE) == 3


async def test_b16_workers_are_told_how_old_feeds_are(migrated_url: str, tmp_path: Path) -> None:
    issued = datetime.now(UTC) - timedelta(hours=1)
    async with engine_on(migrated_url) as engine:
        await define_feed(engine, "national", "test", max_age_s=7_200)
        async with engine.connect() as connection:
            assert (await load_snapshot(connection)).feeds == (), "nothing was imported yet"
        await take(engine, tmp_path, 1, f"{ALICE},all,,,,,", issued_at=issued)
        async with engine.connect() as connection:
            snapshot = await load_snapshot(connection)
        (feed,) = snapshot.feeds
        assert snapshot.version == 3
        assert not feed.is_stale(issued.timestamp() + 7_199)
        assert feed.is_stale(issued.timestamp() + 7_201)


async def test_b17_b18_wishes_belong_to_the_home_operator(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        night = "21:00-09:00"
        assert await set_wish(engine, KEYS, ALICE, "all", band=night, agreement="sms", principal="t", home="m-1")
        assert await set_wish(engine, KEYS, ALICE, "caller", "+8657112340000", agreement="app", principal="t")
        (theirs,) = await wishes_of(engine, KEYS, ALICE, principal="t", home="m-1")
        assert (theirs.scope, theirs.band, theirs.in_force, theirs.agreement) == ("all", "21:00-09:00", True, "sms")
        (ours,) = await wishes_of(engine, KEYS, ALICE, principal="t")
        assert (ours.scope, ours.value) == ("caller", "+8657112340000")
        # Withdrawn in another home's name: another row, which was never in force.
        await withdraw_wish(engine, KEYS, ALICE, "all", band=night, agreement="?", principal="t", home="m-2")
        (theirs,) = await wishes_of(engine, KEYS, ALICE, principal="t", home="m-1")
        assert theirs.in_force
        await withdraw_wish(engine, KEYS, ALICE, "all", band=night, agreement="shop", principal="t", home="m-1")
        (theirs,) = await wishes_of(engine, KEYS, ALICE, principal="t", home="m-1")
        assert (theirs.in_force, theirs.agreement) == (False, "shop")
        assert await count(engine, "audit WHERE action = 'wish.query'") == 4
        with pytest.raises(ImportRefused, match="say how the user agreed"):
            await set_wish(engine, KEYS, ALICE, "all", agreement=" ", principal="t")
        with pytest.raises(ImportRefused, match="band: 25:00-26:00: write a band"):
            await set_wish(engine, KEYS, ALICE, "all", band="25:00-26:00", agreement="x", principal="t")
        with pytest.raises(ImportRefused, match="home: M 1: write"):
            await set_wish(engine, KEYS, ALICE, "all", agreement="x", principal="t", home="M 1")
