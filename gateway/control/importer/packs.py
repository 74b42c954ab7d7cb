"""Import of a rule pack: checked by the loader that workers use, kept for ever, in force at once."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from sqlalchemy import text as sql_text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.importer.problems import NO_REGISTRY, ImportReport, Problems
from gateway.gate.pack import load_pack
from gateway.store.sql import audit, outbox
from gateway.store.sql import registry as sql
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.registry_versions import keep_untouched


async def import_pack(engine: AsyncEngine, text: str, name: str, principal: str) -> ImportReport:
    """Check a pack, store it under its id and version, and put it in force with a new registry version.

    The pack that is in force already makes no new version. Raises PackError, ImportRefused (a version that
    is stored with other content), Unavailable."""
    pack = load_pack(text, name)
    sha256 = hashlib.sha256(text.encode()).digest()
    problems = Problems(name)
    with mapped_errors():
        async with engine.begin() as connection:
            await sql.lock_registry(connection)
            stored = await connection.execute(
                sql_text("SELECT sha256 FROM packs WHERE id = :id AND version = :version"),
                {"id": pack.id, "version": pack.version},
            )
            known = stored.scalar_one_or_none()
            if known is not None and bytes(known) != sha256:
                problems.add(0, "version", str(pack.version), "is stored with other content: raise the version")
                problems.check()
            state = await sql.load_plan(connection)
            hint = "" if state.plan else NO_REGISTRY
            if state.pack == text:
                return ImportReport("pack", name, len(pack.rules), 0, state.version, hint)
            if known is None:
                await connection.execute(
                    sql_text(
                        "INSERT INTO packs (id, version, sha256, text, principal) "
                        "VALUES (:id, :version, :sha256, :text, :principal)"
                    ),
                    {"id": pack.id, "version": pack.version, "sha256": sha256, "text": text, "principal": principal},
                )
            version = state.version + 1
            await sql.save_state(connection, replace(state, version=version, pack=text))
            await keep_untouched(connection, version, principal, "import.pack", Path(name).name)
            await outbox.announce(connection, outbox.REGISTRY)
            detail = {"pack": f"{pack.id}@{pack.version}", "sha256": sha256.hex(), "version": version}
            await audit.record(connection, principal, "import.pack", Path(name).name, detail)
    return ImportReport("pack", name, len(pack.rules), 1, version, hint)
