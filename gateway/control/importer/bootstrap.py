"""The example deployment, loaded into an empty database: rule pack, registry, consents, refusals."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.control.importer.consents import import_consents
from gateway.control.importer.packs import import_pack
from gateway.control.importer.problems import ImportReport
from gateway.control.importer.refusals import import_refusals
from gateway.control.importer.registry import import_registry
from gateway.keys import Keys
from gateway.store.sql import imports
from gateway.store.sql.engine import mapped_errors

KIND = "bootstrap"
LOCK = 0x63676273
"""Advisory lock (`cgbs`): of several nodes that start at once, one loads the example."""


@dataclass(frozen=True, slots=True)
class DeploymentFiles:
    """Where the files of a deployment directory are, whether they exist or not."""

    pack: Path
    registry: Path
    consents: Path
    refusals: Path


def files_of(directory: Path) -> DeploymentFiles:
    """`registry.toml`, `consents.csv` and `refusals.csv` in it, and the pack `../packs/<its name>.toml`."""
    return DeploymentFiles(
        directory.parent / "packs" / f"{directory.name}.toml",
        directory / "registry.toml",
        directory / "consents.csv",
        directory / "refusals.csv",
    )


async def bootstrap(
    engine: AsyncEngine, keys: Keys, directory: str | os.PathLike[str], principal: str = KIND
) -> list[ImportReport]:
    """Load the files of `directory` (`files_of`), each where there is one, into an empty database; an empty list
    where the database is not empty.

    A load that was interrupted is finished by the next call. Raises ImportRefused, PackError, Conflict,
    Unavailable, OSError."""
    home = Path(directory)
    with mapped_errors():
        async with engine.connect() as guard:
            await guard.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
            await guard.commit()
            try:
                return await _load(engine, keys, home, principal)
            finally:
                await guard.rollback()
                await guard.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})
                await guard.commit()


async def _load(engine: AsyncEngine, keys: Keys, home: Path, principal: str) -> list[ImportReport]:
    async with engine.begin() as connection:
        begun = await connection.execute(
            text("SELECT id FROM imports WHERE kind = :kind AND state = 'staging'"), {"kind": KIND}
        )
        job = begun.scalar_one_or_none()
        if job is None:
            if not await _is_empty(connection):
                return []
            job = (await imports.begin(connection, KIND, str(home), b"", principal)).id
    reports = []
    files = files_of(home)
    if files.pack.exists():
        reports.append(await import_pack(engine, files.pack.read_text(encoding="utf-8"), str(files.pack), principal))
    if files.registry.exists():
        words = files.registry.read_text(encoding="utf-8")
        reports.append(await import_registry(engine, words, str(files.registry), principal))
    if files.consents.exists():
        reports.append(await import_consents(engine, files.consents, keys, principal))
    if files.refusals.exists():
        reports.append(await import_refusals(engine, files.refusals, keys, principal))
    async with engine.begin() as connection:
        await imports.finish(connection, job, imports.DONE, sum(report.changed for report in reports))
    return reports


async def _is_empty(connection: AsyncConnection) -> bool:
    """Whether nobody has put anything in yet."""
    row = await connection.execute(
        text(
            "SELECT version = 0 AND NOT EXISTS (SELECT FROM imports) AND NOT EXISTS (SELECT FROM consents) "
            "AND NOT EXISTS (SELECT FROM refusals) FROM registry_state"
        )
    )
    return bool(row.scalar_one())
