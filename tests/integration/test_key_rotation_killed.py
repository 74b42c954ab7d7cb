"""`callgate keys rotate` is killed, and goes on where it was."""

from __future__ import annotations

from pathlib import Path

from gateway.gate.pseudonym import Pseudonymizer
from gateway.key_ring import KeyFile
from gateway.store.redis import layout
from tests.support.database import ALICE
from tests.support.import_site import ImportSite, kill, write_consents


async def test_killed_for_real(tmp_path: Path) -> None:
    """The command is killed while it copies, and while it waits for a projector; then it is given once more."""
    rows = 12_000
    where = ImportSite.make(tmp_path)
    try:
        where.done("import", "registry", "config/example/registry.toml")
        write_consents(tmp_path / "consents.csv", rows)
        where.done("import", "consents", str(tmp_path / "consents.csv"))
        rotation = where.start("keys", "rotate")
        await where.until("SELECT count(*) > 0 FROM key_rotations WHERE rows > 0 AND state = 'copying'", rotation)
        kill(rotation)
        begun = await where.value("SELECT rows FROM key_rotations")
        assert 0 < begun < rows
        where.done("consent", "grant", "--callee", ALICE, "--operator", "alpha", "--purpose", "consultation")
        rotation = where.start("keys", "rotate")
        await where.until("SELECT state = 'switched' FROM key_rotations", rotation)
        kill(rotation)
        control = where.start("control")
        try:
            told = where.done("keys", "rotate")
            assert "rows stored under new keys: pseudonym 1 to 2, seal 1 to 2" in told
            held = await where.projected()
        finally:
            kill(control)
        assert len(held) == await where.value("SELECT count(*) FROM consents") == rows + 1
        keys = KeyFile(tmp_path / "keys.json").keys()
        new = Pseudonymizer(keys.pseudonym)
        assert len(keys.pseudonyms) == 2
        fields = {layout.consent_field(new.hash(f"+86137{number:08d}"), 1, 1) for number in range(rows)}
        assert {field for _, field in held} == fields | {layout.consent_field(new.hash(ALICE), 1, 1)}
        assert await where.value("SELECT count(*) FROM key_rotations") == 1
    finally:
        where.close()
