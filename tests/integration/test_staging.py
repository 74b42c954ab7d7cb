"""What a merge knows of the table its rows were staged in."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.control.importer import consents, import_consents
from gateway.control.importer.bulk import Context
from gateway.store.sql.merged import Merged
from tests.support.database import KEYS, engine_on

ROWS = 300


async def test_what_is_staged_is_measured_before_it_is_merged(
    migrated_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []
    merge = consents._merge

    async def looked(context: Context) -> Merged:
        rows = await context.connection.execute(
            text("SELECT reltuples FROM pg_class WHERE relname = :name"), {"name": context.job.table}
        )
        seen.append(rows.scalar_one())
        return await merge(context)

    monkeypatch.setattr(consents, "_merge", looked)
    path = tmp_path / "consents.csv"
    path.write_text(
        "callee,operator,purpose,granted_at\n"
        + "".join(f"+86138{number:08d},alpha,consultation,2024-05-01T08:00:00Z\n" for number in range(ROWS))
    )
    async with engine_on(migrated_url) as engine:
        await import_consents(engine, path, KEYS, "test")
    assert seen == [float(ROWS)], "a planner that knows nothing of a table takes it for a handful of rows"
