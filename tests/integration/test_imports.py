"""Imports of registry, packs and the example: whole or not at all, bad rows named, repeated for nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.control.importer import ImportRefused, bootstrap, import_consents, import_pack, import_registry
from gateway.registry.model import NextHop
from gateway.registry.validate import validate
from gateway.store.sql.engine import make_engine
from gateway.store.sql.registry import load_snapshot, range_key
from tests.support.database import ALICE, EXAMPLE, KEYS, ROOT, count, engine_on, hash_of

RANGE = """
[[range]]
id = "{id}"
first = "{first}"
last = "{last}"
operator = "alpha"
trunks = ["cc-alpha"]
outbound = true
purposes = ["consultation"]
"""


async def test_the_example_fills_an_empty_database_once(migrated_url: str) -> None:
    engine = make_engine(migrated_url)
    reports = await bootstrap(engine, KEYS, EXAMPLE)
    assert [report.kind for report in reports] == ["pack", "registry", "consents", "refusals"]
    async with engine.connect() as connection:
        snapshot = await load_snapshot(connection)
    assert validate(snapshot) == []
    assert snapshot.version == 2
    assert [operator.id for operator in snapshot.operators] == ["alpha", "beta"]
    trunks = {trunk.id: trunk for trunk in snapshot.trunks}
    assert trunks["carrier"].side == "core"
    assert trunks["carrier"].next_hops == (NextHop("127.0.0.9", 5060),)
    assert trunks["cc-beta"].sources == ("127.0.0.3",)
    ranges = {row.id: row for row in snapshot.ranges}
    assert ranges["alpha-400"].outbound is False
    assert (ranges["alpha-hangzhou"].first, ranges["alpha-hangzhou"].last) == ("+8657112340000", "+8657112349999")
    assert set(snapshot.emergency) >= {"110", "119", "120", "122"}
    assert "consultation" in snapshot.purposes
    assert snapshot.packs == {"example": (ROOT / "config" / "packs" / "example.toml").read_text()}
    assert await count(engine, "consents") == 2
    assert await count(engine, "refusals") == 1
    assert await bootstrap(engine, KEYS, EXAMPLE) == []
    await engine.dispose()


async def test_bootstrap_leaves_a_used_database_alone(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        assert await bootstrap(engine, KEYS, EXAMPLE) == []
        assert await count(engine, "consents") == 0


async def test_bootstrap_that_died_half_way_is_finished_and_two_at_once_load_once(migrated_url: str) -> None:
    engine = make_engine(migrated_url)
    half = Path("missing-consents")
    async with engine.begin() as connection:
        await connection.exec_driver_sql(
            "INSERT INTO imports (kind, name, sha256, principal, state) "
            f"VALUES ('bootstrap', '{half}', '', 'x', 'staging')"
        )
    both = await asyncio.gather(bootstrap(engine, KEYS, EXAMPLE), bootstrap(engine, KEYS, EXAMPLE))
    assert sorted(len(reports) for reports in both) == [0, 4]
    assert await count(engine, "consents") == 2
    await engine.dispose()


async def test_a_registry_that_says_what_is_stored_makes_no_version(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        text = (EXAMPLE / "registry.toml").read_text()
        before = await count(engine, "outbox")
        report = await import_registry(engine, text, str(EXAMPLE / "registry.toml"), "test")
        assert (report.changed, report.version) == (0, 1)
        assert await count(engine, "outbox") == before


async def test_rows_go_over_stored_ones_by_id(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        text = RANGE.format(id="alpha-new", first="+8657188760000", last="+8657188769999")
        report = await import_registry(engine, text, "new.toml", "test")
        assert (report.rows, report.changed, report.version) == (1, 1, 2)
        async with engine.connect() as connection:
            snapshot = await load_snapshot(connection)
        assert len(snapshot.ranges) == 4
        assert len(snapshot.trunks) == 3
        assert await count(engine, "audit WHERE principal = 'test' AND action = 'import.registry'") == 2


async def test_two_ranges_may_swap_their_numbers(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        one, two = ("+8657188760000", "+8657188760099"), ("+8657188760100", "+8657188760199")
        for first, second in ((one, two), (two, one)):
            text = RANGE.format(id="a", first=first[0], last=first[1])
            text += RANGE.format(id="b", first=second[0], last=second[1])
            await import_registry(engine, text, "swap.toml", "test")
        async with engine.connect() as connection:
            ranges = {row.id: row.first for row in (await load_snapshot(connection)).ranges}
        assert (ranges["a"], ranges["b"]) == (two[0], one[0])


async def test_bad_registry_rows_are_named_and_nothing_changes(migrated_url: str) -> None:
    text = """
[[operator]]
id = "gamma"
nam = "Gamma"

[[trunk]]
id = "cc-gamma"
side = "acess"
sources = "127.0.0.4"
next_hops = ["127.0.0.4:x"]
"""
    async with engine_on(migrated_url) as engine:
        with pytest.raises(ImportRefused) as refused:
            await import_registry(engine, text, "bad.toml", "test")
        said = str(refused.value).splitlines()
        assert "bad.toml: line 2: operator.name: missing: write text in quotes" in said
        assert "bad.toml: line 4: operator.nam: unknown key: write name" in said
        assert "bad.toml: line 8: trunk.side: acess: write one of access, core" in said
        assert any(line.startswith("bad.toml: line 9: trunk.sources: 127.0.0.4: write a list") for line in said)
        assert any(line.startswith("bad.toml: line 10: trunk.next_hops: 127.0.0.4:x: write host:port") for line in said)
        assert said[-1] == "nothing was changed"
        assert await count(engine, "operators") == 2


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (RANGE.format(id="o", first="+8657112345000", last="+8657112355000"), 2, "overlaps range alpha-hangzhou"),
        (RANGE.format(id="r", first="+8657188765000", last="+8657188760000"), 5, "not below first"),
        (RANGE.format(id="r", first="+8657188765000", last="+865718876500"), 5, "write a"),
        (RANGE.format(id="r", first="+8657188765000", last="+8657188769999").replace('"alpha"', '"nobody"'), 6,
         "name one of the operators"),
        ('[[trunk]]\nid = "t"\nside = "core"\nsources = ["127.0.0.9"]\nnext_hops = ["127.0.0.10"]', 4,
         "trunk carrier has it on the same listener"),
        ("[plan]\nfile = \"atlantis\"", 2, "there is none of"),
        ("[[range]\n", 0, "TOML"),
        ("[[rnage]]\nid = 1", 1, "unknown table"),
        ("[[purpose]]\nname = \"x\"\n[[purpose]]\nname = \"x\"\n", 3, "twice"),
        ("[[range]]\nid = \"v\"\nfirst = \"1\"\nlast = \"1\"\noperator = \"alpha\"\ntrunks = []\n"
         "valid_from = 2024-01-01\nvalid_to = \"2024-01-01T00:00:00\"", 8, "RFC 3339"),
    ],
)  # fmt: skip
async def test_what_is_wrong_in_sense_is_named_with_its_line(
    migrated_url: str, text: str, line: int, words: str
) -> None:
    async with engine_on(migrated_url) as engine:
        with pytest.raises(ImportRefused) as refused:
            await import_registry(engine, text, "bad.toml", "test")
        assert any(problem.line == line and words in str(problem) for problem in refused.value.problems), str(
            refused.value
        )
        async with engine.connect() as connection:
            assert (await load_snapshot(connection)).version == 1


async def test_at_most_fifty_problems_are_listed(migrated_url: str) -> None:
    text = "".join(f'[[operator]]\nid = "o{number}"\n' for number in range(80))
    async with engine_on(migrated_url) as engine:
        with pytest.raises(ImportRefused) as refused:
            await import_registry(engine, text, "bad.toml", "test")
    assert len(refused.value.problems) == 50
    assert "there may be more" in str(refused.value)


async def test_packs_are_checked_versioned_and_put_in_force(migrated_url: str) -> None:
    pack = (ROOT / "config" / "packs" / "example.toml").read_text()
    async with engine_on(migrated_url) as engine:
        assert (await import_pack(engine, pack, "example.toml", "test")).version == 2
        assert (await import_pack(engine, pack, "example.toml", "test")).changed == 0
        with pytest.raises(ImportRefused, match="raise the version"):
            await import_pack(engine, pack + "\n# changed\n", "example.toml", "test")
        with pytest.raises(ValueError, match="broken"):
            await import_pack(engine, "id = 5", "broken.toml", "test")
        assert await count(engine, "packs") == 1


async def test_no_clear_callee_number_in_any_table(migrated_url: str) -> None:
    engine = make_engine(migrated_url)
    await bootstrap(engine, KEYS, EXAMPLE)
    async with engine.connect() as connection:
        tables = [
            row[0]
            for row in await connection.exec_driver_sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ]
        for table in tables:
            for row in await connection.exec_driver_sql(f"SELECT t::text FROM {table} AS t"):
                assert "138001380" not in row[0]
        hashes = [row[0] for row in await connection.exec_driver_sql("SELECT callee_hash FROM consents")]
    assert hash_of(ALICE) in hashes
    await engine.dispose()


async def test_consents_before_any_registry_are_refused(migrated_url: str) -> None:
    async with engine_on(migrated_url, registry=False) as engine:
        with pytest.raises(ImportRefused, match=r"import a registry with a \[plan\] first"):
            await import_consents(engine, EXAMPLE / "consents.csv", KEYS, "test")


def test_range_keys_keep_lengths_and_short_codes_apart() -> None:
    keys = [range_key(number) for number in ("95588", "+95588", "095588", "+8657112340000", "955880")]
    assert len(set(keys)) == len(keys)
    assert all(0 <= key < 1 << 63 for key in keys)
    with pytest.raises(ValueError, match="no canonical number"):
        range_key("+86a")
