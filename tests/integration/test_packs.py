"""Packs in force together: imported beside each other, replaced, withdrawn, and told for any time (RULES A31, A40)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.importer import ImportRefused, import_pack
from gateway.control.importer.packs import withdraw_pack
from gateway.control.packs import packs_in_force
from gateway.control.record import load_record
from gateway.gate.pack import PackError
from gateway.store.ports import Conflict
from gateway.store.sql.audit import find_changes
from gateway.store.sql.migrate import migrate
from gateway.store.sql.registry import load_snapshot
from tests.integration.test_api_access import told
from tests.integration.test_api_imports import upload
from tests.support.api import api_on
from tests.support.database import engine_on
from tests.support.packs import LABEL, VERSION, pack_text

DEFAULT = pack_text()


async def brought(engine: AsyncEngine, text: str, name: str = "p.toml", instead: str = "") -> int:
    return (await import_pack(engine, text, name, "ann", instead=instead)).version


async def labels(engine: AsyncEngine, at: datetime | None = None) -> list[str]:
    async with engine.connect() as connection:
        return [f"{one.id}@{one.version} {one.binds}" for one in await packs_in_force(connection, at)]


async def test_packs_stand_beside_each_other_and_each_change_is_one_registry_version(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        assert await brought(engine, DEFAULT) == 2
        began = datetime.now(UTC)
        await asyncio.sleep(0.002)
        assert await brought(engine, pack_text("alphas", trunks=["cc-alpha"])) == 3
        assert await brought(engine, pack_text("centres", classes=["call_centre"])) == 4
        assert await labels(engine) == ["alphas@1 trunk cc-alpha", "centres@1 class call_centre", "example@1 default"]
        middle = datetime.now(UTC)
        await asyncio.sleep(0.002)
        assert await brought(engine, pack_text("alphas", 2, trunks=["cc-alpha"])) == 5
        assert await withdraw_pack(engine, "centres", "bob") == 6
        assert await labels(engine) == ["alphas@2 trunk cc-alpha", "example@1 default"]
        assert await labels(engine, middle) == [
            "alphas@1 trunk cc-alpha", "centres@1 class call_centre", "example@1 default",
        ]  # fmt: skip
        assert await labels(engine, began) == ["example@1 default"]
        assert await labels(engine, datetime(2020, 1, 1, tzinfo=UTC)) == []
        async with engine.connect() as connection:
            snapshot = await load_snapshot(connection)
        assert (snapshot.version, list(snapshot.packs)) == (6, ["alphas", "example"])
        (withdrawn,) = await find_changes(engine, action="pack.withdraw")
        assert (withdrawn.principal, withdrawn.object, withdrawn.detail["pack"]) == ("bob", "centres", "centres@1")


async def test_a_pack_that_cannot_stand_beside_the_others_is_refused_whole(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        await brought(engine, DEFAULT)
        await brought(engine, pack_text("alphas", trunks=["cc-alpha"]))
        before = await labels(engine)
        nowhere = 'mode = "shadow"\n[rule.percent]\ncc-nowhere = 5'
        for text, said in (
            (pack_text("more", trunks=["cc-beta", "cc-alpha"]), r":4: binds\.trunks: 'cc-alpha': alphas@1 in force"),
            (pack_text("more"), r":1: binds\.trunks: none: example@1 in force is the default already: .*--instead"),
            (pack_text("more", trunks=["cc-gamma"]), r":4: binds\.trunks: 'cc-gamma': no such trunk: name one of c"),
            (pack_text("example", 2, trunks=["cc-beta"]), r":4: binds\.trunks: no pack would be the default"),
            (pack_text("example", 2, purpose=nowhere), r":\d+: rule purpose\.percent: 'cc-nowhere': no such trunk"),
            ("id = 5", ":1: version: None: write a whole number"),
        ):
            with pytest.raises(PackError, match=rf"p\.toml{said}"):
                await brought(engine, text)
        with pytest.raises(Conflict, match=r"'example': is the default.*import pack FILE --instead example"):
            await withdraw_pack(engine, "example", "ann")
        with pytest.raises(Conflict, match="'nothing': not in force: name one of alphas, example"):
            await withdraw_pack(engine, "nothing", "ann")
        with pytest.raises(ImportRefused, match="instead: nothing: is not in force: name one of alphas, example"):
            await brought(engine, pack_text("more"), instead="nothing")
        assert await labels(engine) == before
        async with engine.connect() as connection:
            assert (await load_snapshot(connection)).version == 3


async def test_the_default_is_replaced_in_one_step(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        await brought(engine, DEFAULT)
        assert await brought(engine, pack_text("other"), instead="example") == 3
        assert await labels(engine) == ["other@1 default"]
        assert await brought(engine, DEFAULT, instead="other") == 4  # a stored version comes back
        (newest, *_) = await find_changes(engine, action="import.pack")
        assert (newest.detail["instead"], newest.detail["binds"]) == ("other", "default")


async def test_a_pack_newer_than_a_trunks_agreement_is_warned_of_and_noted(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        agreed = pack_text(version=VERSION)
        assert (await import_pack(engine, agreed, "p.toml", "ann")).warnings == ()  # the example's agreements name it
        newer = f"example@{VERSION + 1}"
        said = f"A31 trunk cc-alpha: rules in force are {newer}, agreement alpha-agreement contains {LABEL}"
        assert said in (await import_pack(engine, pack_text(version=VERSION + 1), "p.toml", "ann")).warnings
        assert said not in (await import_pack(engine, pack_text(version=VERSION + 2), "p.toml", "ann")).warnings
        await brought(engine, pack_text("betas", trunks=["cc-beta"]))
        async with engine.connect() as connection:
            assert (await load_record(connection)).packs == {
                "cc-alpha": f"example@{VERSION + 2}", "cc-beta": "betas@1", "carrier": f"example@{VERSION + 2}",
            }  # fmt: skip


async def test_a40_the_api_lists_packs_tells_them_for_a_time_and_withdraws(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        await upload(api, "compliance", "pack", DEFAULT)
        text = pack_text("alphas", trunks=["cc-alpha"])
        assert (await upload(api, "compliance", "pack", text)).status_code == 200
        told(await upload(api, "compliance", "pack", pack_text("more", trunks=["cc-alpha"])), 422, "invalid")
        rows = (await api.ask("viewer", "GET", "/packs")).json()["items"]
        assert [(row["id"], row["binds"], row["in_force"]) for row in rows] == [
            ("alphas", "trunk cc-alpha", True), ("example", "default", True),
        ]  # fmt: skip
        assert (await api.ask("compliance", "GET", "/exports/pack?pack=alphas")).text == text
        told(await api.ask("viewer", "POST", "/packs/alphas/withdraw"), 403, "forbidden")
        told(await api.ask("admin", "POST", "/packs/example/withdraw"), 409, "conflict")
        assert (await api.ask("admin", "POST", "/packs/alphas/withdraw")).json() == {"version": 4}
        (now,) = (await api.ask("viewer", "GET", "/packs/in-force")).json()["packs"]
        assert (now["id"], now["until"], now["principal"]) == ("example", None, "compliance")
        at = rows[0]["since"].replace("+00:00", "Z")
        then = (await api.ask("viewer", "GET", f"/packs/in-force?at={at}")).json()["packs"]
        assert [one["id"] for one in then] == ["alphas", "example"]


@pytest.mark.parametrize("stored", ["stored", "dangling", "none", "broken"])
async def test_the_one_pack_of_before_stays_in_force_as_the_default(database_url: str, stored: str) -> None:
    await migrate(database_url, "0005")
    connection = await asyncpg.connect(database_url)
    if stored == "stored":
        for version in (1, 2):
            await connection.execute(
                "INSERT INTO packs (id, version, sha256, text, principal) VALUES ('example', $1, '', $2, 'ann')",
                version, pack_text(version=version),
            )  # fmt: skip
            await connection.execute(
                "INSERT INTO audit (principal, action, object, detail) VALUES ('ann', 'import.pack', 'p', $1::jsonb)",
                f'{{"pack": "example@{version}"}}',
            )
    words = {"none": "", "broken": "id ="}.get(stored, pack_text(version=2))
    await connection.execute("UPDATE registry_state SET version = 5, pack = $1", words)
    await migrate(database_url)
    terms = await connection.fetch("SELECT id, version, to_at IS NULL, principal FROM pack_terms ORDER BY from_at")
    version = await connection.fetchval("SELECT version FROM registry_state")
    text = await connection.fetchval("SELECT text FROM packs ORDER BY version DESC LIMIT 1")
    await connection.close()
    if stored in ("none", "broken"):
        assert (terms, version) == ([], 5)
        return
    assert (version, text) == (6, words)
    expected = [("example", 1, False, "ann"), ("example", 2, True, "ann")]
    assert [tuple(row) for row in terms] == (expected if stored == "stored" else [("example", 2, True, "upgrade")])
