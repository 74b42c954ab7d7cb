"""Importer, PostgreSQL and control are killed in the middle of a large import and of its projection: nothing is in
effect before the whole is, and in the end both stores hold exactly what the file says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.import_site import ImportSite, children, kill, wait_gone, write_consents

ROWS = 100_000
STAGED = "SELECT staged_rows > 0 FROM imports WHERE kind = 'consents' AND state = 'staging'"
MERGING = (
    "SELECT count(*) > 0 FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() "
    "AND query LIKE '%INSERT INTO consents AS c%'"
)
REVOKED = "SELECT count(*) FROM consents WHERE granted_at < revoked_at"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ImportSite]:
    site = ImportSite.make(tmp_path)
    yield site
    site.close()


async def test_killed_wherever_it_is_the_import_is_whole_or_nothing(site: ImportSite, tmp_path: Path) -> None:
    path = tmp_path / "consents.csv"
    expected = write_consents(path, ROWS)
    words = ("import", "consents", str(path))
    site.done("import", "registry", "config/example/registry.toml")

    importer = site.start(*words)
    await site.until(STAGED, importer)
    helpers = children(importer)
    assert helpers
    kill(importer)
    wait_gone(helpers)
    staged = await site.value("SELECT staged_rows FROM imports WHERE kind = 'consents'")
    assert 0 < staged < ROWS
    assert await site.value("SELECT count(*) FROM staged_consents_1") == staged

    importer = site.start(*words)
    await site.until(f"SELECT staged_rows > {staged} FROM imports WHERE id = 1", importer)
    site.crash_postgres()
    assert importer.wait(30) == 1
    said = site.said().splitlines()[-1]
    assert "PostgreSQL is away" in said or "PostgreSQL restarted" in said
    assert await site.value("SELECT count(*) FROM staged_consents_1") == 0, "it is not logged"

    importer = site.start(*words)
    await site.until(MERGING, importer)
    site.crash_postgres()
    assert importer.wait(30) == 1
    for table in ("consents", "list_versions", "outbox WHERE kind = 'consents'"):
        assert await site.value(f"SELECT count(*) FROM {table}") == 0
    assert await site.projected() == {}

    rows = ROWS + ROWS // 10 + ROWS // 20
    assert f"{rows} rows read, {ROWS} changed something" in site.done(*words)
    assert await site.value("SELECT count(*) FROM consents") == ROWS
    assert await site.value(REVOKED) == ROWS // 10
    assert await site.value("SELECT count(*) FROM imports WHERE kind = 'consents'") == 1
    assert await site.value("SELECT to_regclass('staged_consents_1')") is None

    control = site.start("control")
    await site.until("SELECT epoch > 0 FROM dataset", control)
    kill(control)
    assert await site.projected() == {}, "the head is switched when all is there"
    control = site.start("control")
    try:
        await site.until("SELECT buckets > 0 AND epoch > 1 FROM dataset", control)
        found: dict[tuple[bytes, ...], bytes] = {}
        while not found:  # the head follows
            found = await site.projected()
    finally:
        kill(control)
    assert len(found) == len(expected) == ROWS, "nothing doubled"
    assert {field: value for (_, field), value in found.items()} == expected
