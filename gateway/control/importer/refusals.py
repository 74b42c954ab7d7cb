"""Refusals: bulk import, declaration and withdrawal of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.importer.blocks import read_blocks, read_form, read_rows
from gateway.control.importer.bulk import Bulk, Context, Progress, run_bulk
from gateway.control.importer.lists import home_list
from gateway.control.importer.problems import ImportReport, Problems
from gateway.control.importer.refusal_rows import DECLARE, OPTIONAL, REQUIRED, WITHDRAW, RefusalReader
from gateway.control.importer.subscriber import Subscribers, keys_in_force
from gateway.control.importer.values import time_text
from gateway.keys import Keys
from gateway.registry.model import Snapshot
from gateway.registry.numbering import mask
from gateway.store.sql import audit, outbox, refusals, versions
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.merged import Merged
from gateway.store.sql.refusals import RefusalEvent
from gateway.store.sql.registry import load_plan


async def import_refusals(
    engine: AsyncEngine,
    path: str | os.PathLike[str],
    keys: Keys,
    principal: str,
    progress: Progress | None = None,
    *,
    home: str = "",
    dry_run: bool = False,
    name: str = "",
) -> ImportReport:
    """Import CSV or JSON Lines with the columns of `refusal_rows`; `event` is declare (default) or withdraw. A
    declaration without a time happens now; a withdrawal needs one. `home`: the resale operator whose users they are of;
    its list is kept apart. `dry_run`: say what would change, and change nothing. `name`: as in `run_bulk`. Raises
    ImportRefused, Conflict, Unavailable, OSError."""
    bulk = Bulk(outbox.REFUSALS, REQUIRED, OPTIONAL, _merge, "import.refusals", home_list(home))
    return await run_bulk(engine, bulk, Path(path), keys, principal, progress, dry_run=dry_run, name=name)


async def _merge(context: Context) -> Merged:
    connection, job, change = context.connection, context.job, context.change
    merged = await refusals.merge(connection, job.table, change, bulk=True)
    for name, counted in merged.parts.items():
        name = name or versions.OWN_REFUSALS
        await versions.record(connection, name, job.id, change, context.file, context.principal, counted)
    return merged


def read_refusals(
    file: Path, snapshot: Snapshot, subscribers: Subscribers, now: datetime, problems: Problems
) -> Iterator[tuple[int, RefusalEvent]]:
    """(line, event) of each good row; the others are noted in `problems`. `now`: what an unknown time means. Raises
    OSError."""
    reader = RefusalReader(snapshot, subscribers, problems, now)
    form = read_form(file, REQUIRED, OPTIONAL, problems)
    for block in read_blocks(file, form, problems) if form else ():
        for line, cells in read_rows(block, form, problems) if form else ():
            event = reader.event(line, *cells)
            if event is not None:
                yield line, event


async def add_refusal(
    engine: AsyncEngine,
    keys: Keys,
    callee: str,
    scope: str,
    value: str = "",
    source: str = "",
    at: datetime | None = None,
    *,
    principal: str,
    band: str = "",
    home: str = "",
    agreement: str = "",
) -> bool:
    """Record that `callee` declines. `scope`: all, category (`value`: purpose), caller_prefix, caller,
    operator. `at`: when (default now). `band`: hours in which it counts (`policies.band`). `home`: the resale operator
    whose user it is. `agreement`: how the user agreed. True if that changed something. Raises ImportRefused, Conflict,
    Unavailable."""
    cells = (callee, scope, value, DECLARE, source, time_text(at), band, agreement)
    return await _single(engine, keys, cells, home, principal)


async def withdraw_refusal(
    engine: AsyncEngine,
    keys: Keys,
    callee: str,
    scope: str,
    value: str = "",
    source: str = "",
    at: datetime | None = None,
    *,
    principal: str,
    band: str = "",
    home: str = "",
    agreement: str = "",
) -> bool:
    """Record that a refusal was taken back. Parameters, answer and errors as in `add_refusal`."""
    cells = (callee, scope, value, WITHDRAW, source, time_text(at), band, agreement)
    return await _single(engine, keys, cells, home, principal)


async def _single(engine: AsyncEngine, keys: Keys, cells: tuple[str, ...], home: str, principal: str) -> bool:
    problems = Problems("refusal", private=True)
    callee, scope, value, event_name, source, registered_at, band, agreement = cells
    into = home_list(home)
    with mapped_errors():
        async with engine.begin() as connection:
            subscribers = Subscribers(await keys_in_force(connection, keys))
            now = datetime.now(UTC)
            event = RefusalReader(await load_plan(connection), subscribers, problems, now, into).event(
                0, callee, scope, value, event_name, source, registered_at or now.isoformat(), band, agreement
            )
            problems.check()
            assert event is not None
            change = await outbox.announce(connection, outbox.REFUSALS)
            merged = await refusals.merge(connection, await refusals.add_event(connection, event), change)
            detail = {
                "callee": mask(callee), "value": value, "band": event.band, "list": into, "source": source,
                "agreement": agreement, "at": registered_at, "changed": merged.touched,
            }  # fmt: skip
            await audit.record(connection, principal, f"refusal.{event_name}", scope, detail)
    return merged.touched > 0
