"""Lists go back to earlier versions exactly; what was said by hand since then stays."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.importer import (
    ImportRefused,
    grant_consent,
    import_consents,
    import_refusals,
    list_versions,
    revoke_consent,
    roll_back,
    withdraw_refusal,
)
from gateway.store.sql import versions
from tests.support.database import ALICE, BOB, CAROL, KEYS, count, engine_on

CONSENTS = "callee,operator,purpose,granted_at,expires_at,evidence_uri,event\n"
REFUSALS = "callee,scope,value,event,source,registered_at,band\n"
T0 = datetime(2024, 5, 1, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)

Row = tuple[object, ...]


def grant(callee: str, at: datetime, operator: str = "alpha", event: str = "grant", uri: str = "") -> str:
    return f"{callee},{operator},consultation,{at.isoformat()},,{uri},{event}\n"


async def load(engine: AsyncEngine, tmp_path: Path, *rows: str) -> None:
    path = tmp_path / "consents.csv"
    path.write_text(CONSENTS + "".join(rows))
    await import_consents(engine, path, KEYS, "test")


async def load_refusals(engine: AsyncEngine, tmp_path: Path, *rows: str, home: str = "") -> None:
    path = tmp_path / "refusals.csv"
    path.write_text(REFUSALS + "".join(rows))
    await import_refusals(engine, path, KEYS, "test", home=home)


async def state(engine: AsyncEngine, where: str = "true") -> set[Row]:
    """Every consent that is not void, without what merely says who wrote it."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            text(
                "SELECT callee_hash, operator, purpose, granted_at, expires_at, evidence_uri, revoked_at FROM consents "
                f"WHERE (granted_at IS NOT NULL OR revoked_at IS NOT NULL) AND {where}"
            )
        )
        return {tuple(row) for row in rows}


async def refusals(engine: AsyncEngine) -> set[Row]:
    async with engine.connect() as connection:
        rows = await connection.execute(
            text(
                "SELECT callee_hash, scope, value, band, list, declared_at, withdrawn_at, source FROM refusals "
                "WHERE declared_at IS NOT NULL OR withdrawn_at IS NOT NULL"
            )
        )
        return {tuple(row) for row in rows}


async def test_an_import_is_undone_and_what_came_by_hand_stays(migrated_url: str, tmp_path: Path) -> None:
    async with engine_on(migrated_url) as engine:
        await load(engine, tmp_path, grant(ALICE, T0, uri="u:first"))
        first = await state(engine)
        await load(engine, tmp_path, grant(ALICE, T0 + 9 * HOUR, uri="u:wrong"), grant(BOB, T0), grant(CAROL, T0))
        # Said since then: one the import had overruled, one that overrules it, one about a row the import made.
        await grant_consent(engine, KEYS, ALICE, "alpha", "consultation", at=T0 + HOUR, evidence_uri="u:hand",
                            principal="ann")  # fmt: skip
        await revoke_consent(engine, KEYS, BOB, "alpha", "consultation", at=T0 + 2 * HOUR, principal="ann")
        done = await roll_back(engine, "consents:alpha", 1, "ann")
        assert done.undone == (2,) and done.rows == 3
        left = {row[0]: row[3:] for row in await state(engine)}
        assert sorted(left.values(), key=str) == sorted(
            [(T0 + HOUR, None, "u:hand", None), (None, None, None, T0 + 2 * HOUR)], key=str
        )
        assert await count(engine, "audit WHERE action = 'list.rollback' AND principal = 'ann'") == 1
        assert await count(engine, "undo_consents") == 0
        await roll_back(engine, "consents:alpha", 0, "ann")
        assert {row[3:] for row in await state(engine)} == set(left.values()), "alice's came by hand too"
        assert len(first) == 1


async def test_any_history_goes_back_to_what_it_was(migrated_url: str, tmp_path: Path) -> None:
    """Imports that overlap in every way; back to each version in turn, the newest first."""
    dice = random.Random(7)
    callees = [f"+861380013{number:04d}" for number in range(30)]
    async with engine_on(migrated_url) as engine:
        seen = [await state(engine)]
        for _ in range(5):
            rows = [
                grant(callee, T0 + dice.randrange(20) * HOUR, event=dice.choice(("grant", "grant", "revoke")),
                      uri=dice.choice(("", "u:1", "u:2")))
                for callee in dice.choices(callees, k=25)
            ]  # fmt: skip
            await load(engine, tmp_path, *rows)
            seen.append(await state(engine))
        for back in (3, 2, 0):
            await roll_back(engine, "consents:alpha", back, "test")
            assert await state(engine) == seen[back]
        assert await count(engine, "undo_consents") == 0


async def test_operators_lists_are_apart(migrated_url: str, tmp_path: Path) -> None:
    async with engine_on(migrated_url) as engine:
        await load(engine, tmp_path, grant(ALICE, T0), grant(ALICE, T0, "beta"))
        await load(engine, tmp_path, grant(ALICE, T0 + HOUR), grant(ALICE, T0 + HOUR, "beta"))
        beta = await state(engine, "operator = 2")
        await roll_back(engine, "consents:alpha", 1, "test")
        assert {row[3] for row in await state(engine, "operator = 1")} == {T0}
        assert await state(engine, "operator = 2") == beta
        await roll_back(engine, "consents:beta", 1, "test")
        assert {row[3] for row in await state(engine)} == {T0}


async def test_refusals_of_each_home_go_back_apart(migrated_url: str, tmp_path: Path) -> None:
    async with engine_on(migrated_url) as engine:
        night = f"{ALICE},all,,declare,x,{T0.isoformat()},21:00-09:00\n"
        always = f"{ALICE},all,,declare,x,{T0.isoformat()},\n"
        await load_refusals(engine, tmp_path, night, always)
        ours = await refusals(engine)
        await load_refusals(engine, tmp_path, night, always, home="mvno-1")
        await load_refusals(engine, tmp_path, f"{ALICE},all,,withdraw,x,{(T0 + HOUR).isoformat()},\n", home="mvno-1")
        assert len(await refusals(engine)) == 4
        await withdraw_refusal(engine, KEYS, ALICE, "all", at=T0 + HOUR, principal="ann")
        await roll_back(engine, "home:mvno-1", 0, "test")
        left = await refusals(engine)
        assert {row[4] for row in left} == {""}
        assert len(left ^ ours) == 2, "the one that was withdrawn by hand"
        await roll_back(engine, "refusals", 0, "test")
        assert [row[5:7] for row in await refusals(engine)] == [(None, T0 + HOUR)]


async def test_only_what_can_be_undone_is(
    migrated_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine_on(migrated_url) as engine:
        with pytest.raises(ImportRefused, match="has no version in force"):
            await roll_back(engine, "consents:alpha", 0, "test")
        monkeypatch.setattr(versions, "KEEP_VERSIONS", 2)
        for hour in range(5):
            await load(engine, tmp_path, grant(ALICE, T0 + hour * HOUR))
        with pytest.raises(ImportRefused, match=r"write one that can be gone back to: 5, 4, 3\n"):
            await roll_back(engine, "consents:alpha", 1, "test")
        with pytest.raises(ImportRefused, match="is in force"):
            await roll_back(engine, "consents:alpha", 5, "test")
        assert await count(engine, "undo_consents") == 2
        await roll_back(engine, "consents:alpha", 3, "test")
        found = await list_versions(engine, "consents:alpha")
        assert [(one.version, one.state) for one in found] == [
            (5, "rolled back"), (4, "rolled back"), (3, "in force"), (2, "in force"), (1, "in force"),
        ]  # fmt: skip
        assert {row[3] for row in await state(engine)} == {T0 + 2 * HOUR}
        await load(engine, tmp_path, grant(ALICE, T0 + 9 * HOUR))
        assert (await list_versions(engine, "consents:alpha"))[0].version == 6


async def test_a_dry_run_says_what_would_change_and_changes_nothing(migrated_url: str, tmp_path: Path) -> None:
    async with engine_on(migrated_url) as engine:
        await load(engine, tmp_path, grant(ALICE, T0), grant(BOB, T0))
        before = await state(engine)
        path = tmp_path / "next.csv"
        path.write_text(CONSENTS + grant(ALICE, T0) + grant(BOB, T0 + HOUR) + grant(CAROL, T0))
        report = await import_consents(engine, path, KEYS, "test", dry_run=True)
        assert (report.dry_run, report.rows, report.added, report.changed, report.unchanged) == (True, 3, 1, 2, 1)
        assert report.differences == (
            f"+86138****8001 alpha consultation: granted {T0.isoformat()} -> granted {(T0 + HOUR).isoformat()}",
            f"+86139****9000 alpha consultation: new -> granted {T0.isoformat()}",
        )
        assert await state(engine) == before
        assert await count(engine, "list_versions") == 1
        assert await count(engine, "outbox WHERE kind = 'consents'") == 1
        assert (await import_consents(engine, path, KEYS, "test")).changed == 2
