"""An uploaded file: the same imports as by the command line, tried or made, with what a stranger's file may not do.

Such a file may not name another file of this machine (a plan by its path), may not open a range for outbound calls,
which needs a second principal, and, by an operator's token, may hold that operator's consents alone."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from sqlalchemy import text as sql_text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.importer.consents import import_consents
from gateway.control.importer.packs import import_pack
from gateway.control.importer.problems import ImportRefused, ImportReport, Problem, Problems
from gateway.control.importer.ranges_csv import read_ranges
from gateway.control.importer.refusals import import_refusals
from gateway.control.importer.registry import import_ranges, import_registry, merged, note_invalid
from gateway.control.importer.registry_file import RegistryFile, read_registry_file
from gateway.control.registry_admin.opens import openings
from gateway.keys import Keys
from gateway.registry.model import NumberRange, Operator, Snapshot, Trunk
from gateway.registry.standing import Tenant
from gateway.registry.validate import validate
from gateway.registry.validate_document import check_documents, fresh_documents
from gateway.store.sql.documents import load_documents
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.registry import load_snapshot

KINDS: Final = ("consents", "refusals", "registry", "ranges", "pack")


async def import_uploaded(
    engine: AsyncEngine,
    kind: str,
    path: Path,
    keys: Keys,
    principal: str,
    *,
    operator: str = "",
    dry_run: bool = False,
    instead: str = "",
) -> ImportReport:
    """Import a file of one of KINDS, or (`dry_run`) say what would be refused. `operator`: the one whose rows alone may
    be in it; `instead`: the pack that a pack comes in the place of. Raises ImportRefused, PackError, Conflict,
    Unavailable, OSError."""
    report: ImportReport | None = None
    if kind == "consents":
        report = await import_consents(
            engine, path, keys, principal, dry_run=dry_run, name=path.name, operator=operator
        )
    elif kind == "refusals":
        report = await import_refusals(engine, path, keys, principal, dry_run=dry_run, name=path.name)
    if report is not None:
        return replace(report, changed=0, hint=report.summary) if dry_run else report
    if kind == "ranges":
        problems = Problems(path.name)
        ranges = read_ranges(path, problems)
        problems.check()
        await _check_opened(engine, ranges, problems)
        await _check_activated(engine, ranges, problems)
        report = await import_ranges(engine, path, principal, dry_run=dry_run, name=path.name)
        return replace(report, changed=0, hint=report.summary) if dry_run else report
    text = _text(path)
    if kind == "pack":
        return await import_pack(engine, text, path.name, principal, instead=instead, dry_run=dry_run)
    _check_plan_file(text, path.name)
    problems = Problems(path.name)
    file = read_registry_file(text, path.parent, problems)
    problems.check()
    await _check_opened(engine, file, problems)
    await _check_activated(engine, file, problems)
    if dry_run:
        return await _try_registry(engine, file, problems)
    return replace(await import_registry(engine, text, str(path), principal), name=path.name)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise _refused(path.name, "file", f"byte {error.start}", "save the file as UTF-8") from None


def _refused(name: str, field: str, value: str, fix: str) -> ImportRefused:
    return ImportRefused(name, [Problem(0, field, value, fix)])


def _check_plan_file(text: str, name: str) -> None:
    try:
        plan = tomllib.loads(text).get("plan")
    except tomllib.TOMLDecodeError:
        return  # told, with its line, by whoever reads it
    file = plan.get("file", "") if isinstance(plan, dict) else ""
    if not ((isinstance(file, str) and file.replace("-", "").replace("_", "").isalnum()) or file == ""):
        raise _refused(name, "plan.file", repr(file), "name a plan that comes with the program, or write `csv`")


async def _check_opened(engine: AsyncEngine, file: RegistryFile, problems: Problems) -> None:
    wanted = {row.id: index for index, row in enumerate(file.ranges) if row.outbound}
    with mapped_errors():
        async with engine.connect() as connection:
            rows = await connection.execute(
                sql_text("SELECT id FROM number_ranges WHERE outbound AND id = ANY(:ids)"), {"ids": list(wanted)}
            )
            open_already = {row[0] for row in rows}
    for row_id, index in wanted.items():
        if row_id not in open_already:
            fix = f"write false, then ask for approval: POST /api/v1/ranges/{row_id}/open-outbound"
            problems.add(file.lines.line("range", index, "outbound"), f"range {row_id}.outbound", "true", fix)
    problems.check()


async def _check_activated(engine: AsyncEngine, file: RegistryFile, problems: Problems) -> None:
    """What is suspended, closed or not enabled stays so: the file may say so of new rows only."""
    with mapped_errors():
        async with engine.connect() as connection:
            stored = await load_snapshot(connection)
    there = {(kind, row.id) for kind, rows in _kinds(stored) for row in rows}
    for one in openings(stored, merged(stored, file)):
        index = file.places.get((one.kind, one.subject))
        if (one.kind, one.subject) in there and index is not None and not one.words.endswith("for outbound calls"):
            fix = f"leave it out, then ask for approval: {one.words}"
            problems.add(file.lines.line(one.kind, index, "state"), f"{one.kind} {one.subject}.state", "opened", fix)
    problems.check()


def _kinds(snapshot: Snapshot) -> tuple[tuple[str, Sequence[Operator | Tenant | Trunk | NumberRange]], ...]:
    return (
        ("operator", snapshot.operators), ("tenant", snapshot.tenants), ("trunk", snapshot.trunks),
        ("range", snapshot.ranges),
    )  # fmt: skip


async def _try_registry(engine: AsyncEngine, file: RegistryFile, problems: Problems) -> ImportReport:
    with mapped_errors():
        async with engine.connect() as connection:
            stored = await load_snapshot(connection)
            documents = await load_documents(connection)
    wanted = merged(stored, file)
    fresh = fresh_documents(documents, file.documents)
    note_invalid(validate(wanted) + check_documents(documents, fresh, wanted), file, problems)
    problems.check()
    return ImportReport("registry", problems.name, file.rows, 0, stored.version)
