"""Consents: bulk import, grant and revoke of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.importer.blocks import read_blocks, read_form, read_rows
from gateway.control.importer.bulk import Bulk, Context, Progress, run_bulk
from gateway.control.importer.consent_rows import GRANT, OPTIONAL, REQUIRED, REVOKE, ConsentReader
from gateway.control.importer.problems import ImportReport, Problems
from gateway.control.importer.subscriber import Subscribers, keys_in_force
from gateway.control.importer.values import time_text
from gateway.keys import Keys
from gateway.registry.model import Snapshot
from gateway.registry.numbering import mask
from gateway.store.sql import audit, consents, outbox, versions
from gateway.store.sql.consents import ConsentEvent
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.merged import Merged
from gateway.store.sql.registry import load_plan


async def import_consents(
    engine: AsyncEngine,
    path: str | os.PathLike[str],
    keys: Keys,
    principal: str,
    progress: Progress | None = None,
    *,
    dry_run: bool = False,
    name: str = "",
    operator: str = "",
) -> ImportReport:
    """Import CSV or JSON Lines with the columns of `consent_rows`; `event` is grant (default) or revoke, `granted_at`
    its time. A grant without a time counts as older than any revoke; a revoke without one happens now. `dry_run`: say
    what would change, and change nothing. `name`: as in `run_bulk`. `operator`: read the file as if there were no
    other. Raises ImportRefused, Conflict, Unavailable, OSError."""
    bulk = Bulk(outbox.CONSENTS, REQUIRED, OPTIONAL, _merge, "import.consents", operator=operator)
    return await run_bulk(engine, bulk, Path(path), keys, principal, progress, dry_run=dry_run, name=name)


async def _merge(context: Context) -> Merged:
    """Every operator in the file has a list of its own, and so a version."""
    connection, job, change = context.connection, context.job, context.change
    merged = await consents.merge(connection, job.table, change, bulk=True)
    names = {str(operator.number): operator.id for operator in context.plan.operators}
    for number, counted in sorted(merged.parts.items()):
        name = versions.OF_CONSENTS + names[number]
        await versions.record(connection, name, job.id, change, context.file, context.principal, counted)
    return merged


def read_consents(
    file: Path, snapshot: Snapshot, subscribers: Subscribers, now: datetime, problems: Problems
) -> Iterator[tuple[int, ConsentEvent]]:
    """(line, event) of each good row; the others are noted in `problems`. `now`: what an unknown time means. Raises
    OSError."""
    reader = ConsentReader(snapshot, subscribers, problems, now)
    form = read_form(file, REQUIRED, OPTIONAL, problems)
    for block in read_blocks(file, form, problems) if form else ():
        for line, cells in read_rows(block, form, problems) if form else ():
            event = reader.event(line, *cells)
            if event is not None:
                yield line, event


async def grant_consent(
    engine: AsyncEngine,
    keys: Keys,
    callee: str,
    operator: str,
    purpose: str,
    expires_at: datetime | None = None,
    evidence_uri: str | None = None,
    at: datetime | None = None,
    *,
    principal: str,
    evidence_sha256: str = "",
    evidence_method: str = "",
    evidence_at: datetime | None = None,
) -> bool:
    """Record that `callee` allows `operator` to call for `purpose`. `at`: when (default now). `evidence_…`: where the
    proof is, its SHA-256 in hex, how consent was given (`consent_rows.METHODS`), and when.

    True if that changed something; False where a newer event overrules it. Raises ImportRefused, Conflict,
    Unavailable."""
    proof = (evidence_sha256, evidence_method, time_text(evidence_at))
    cells = (callee, operator, purpose, time_text(at), time_text(expires_at), evidence_uri or "", GRANT, *proof)
    return await _single(engine, keys, cells, principal)


async def revoke_consent(
    engine: AsyncEngine,
    keys: Keys,
    callee: str,
    operator: str,
    purpose: str,
    at: datetime | None = None,
    *,
    principal: str,
) -> bool:
    """Record that `callee` took the consent back. Parameters, answer and errors as in `grant_consent`."""
    return await _single(engine, keys, (callee, operator, purpose, time_text(at), "", "", REVOKE), principal)


async def _single(engine: AsyncEngine, keys: Keys, cells: tuple[str, ...], principal: str) -> bool:
    problems = Problems("consent", private=True)
    callee, operator, purpose, granted_at, expires_at, evidence_uri, event_name, *proof = cells
    with mapped_errors():
        async with engine.begin() as connection:
            subscribers = Subscribers(await keys_in_force(connection, keys))
            now = datetime.now(UTC)
            event = ConsentReader(await load_plan(connection), subscribers, problems, now).event(
                0, callee, operator, purpose, granted_at or now.isoformat(), expires_at, evidence_uri, event_name,
                *proof,
            )  # fmt: skip
            problems.check()
            assert event is not None
            change = await outbox.announce(connection, outbox.CONSENTS)
            merged = await consents.merge(connection, await consents.add_event(connection, event), change)
            detail = {
                "callee": mask(callee), "operator": operator, "purpose": purpose, "at": granted_at,
                "expires_at": expires_at, "changed": merged.touched,
            }  # fmt: skip
            await audit.record(connection, principal, f"consent.{event_name}", operator, detail)
    return merged.touched > 0
