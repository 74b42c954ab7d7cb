"""The packs that come with the program, imported as anybody would, and the trunk fields they look at."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path

import pytest

from gateway.control.exporter import registry_toml
from gateway.control.importer import import_pack, import_registry
from gateway.gate.pack_set import load_stored
from gateway.store.sql.registry import load_snapshot
from tests.support.database import engine_on
from tests.support.packs import LABEL

FOLDER = Path("config/packs")
TRUNK = """
[[trunk]]
id = "gateway-abroad"
side = "access"
operator = "alpha"
sources = ["127.0.0.77"]
next_hops = ["127.0.0.77:5060"]
origin = "foreign"
state = "suspended"
purpose_header = "X-Purpose"
"""


async def test_chinas_two_texts_stand_beside_the_default(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        for name in ("example", "cn-call-centre-2020", "cn-sms-voice-draft-2020"):
            path = FOLDER / f"{name}.toml"
            await import_pack(engine, path.read_text(encoding="utf-8"), str(path), "ann")
        async with engine.connect() as connection:
            packs = load_stored((await load_snapshot(connection)).packs, "test")
        assert packs.labels == f"cn-call-centre-2020@1, cn-sms-voice-draft-2020@1, {LABEL}"


@pytest.mark.parametrize("name", ["us", "uk", "france", "india", "germany"])
async def test_a_country_takes_the_place_of_the_default(migrated_url: str, name: str) -> None:
    async with engine_on(migrated_url) as engine:
        for one, instead in (("example", ""), (name, "example"), (name, "")):
            path = FOLDER / f"{one}.toml"
            await import_pack(engine, path.read_text(encoding="utf-8"), str(path), "ann", instead=instead)
        async with engine.connect() as connection:
            stored = (await load_snapshot(connection)).packs
        assert list(stored) == [name]
        calendars = tomllib.loads(stored[name]).get("calendar", [])
        assert [one["id"] for one in calendars] == (["fr"] if name == "france" else [])
        assert not calendars or date(2026, 7, 14) in calendars[0]["holidays"], "the days travel in the pack"


async def test_where_a_trunk_calls_from_and_how_it_states_purposes_is_kept(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        await import_registry(engine, TRUNK, "trunk.toml", "ann")
        async with engine.connect() as connection:
            snapshot = await load_snapshot(connection)
        (trunk,) = [one for one in snapshot.trunks if one.id == "gateway-abroad"]
        assert (trunk.origin, trunk.purpose_header) == ("foreign", "X-Purpose")
        assert 'origin = "foreign"\npurpose_header = "X-Purpose"' in registry_toml(snapshot, {})
