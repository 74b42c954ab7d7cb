"""An uploaded file: the same imports as by the command line, tried or made, with what a stranger's file may not do.

Such a file may not name another file of this machine (a plan by its path), and, by an operator's token, may hold that
operator's consents alone."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.importer.consents import import_consents
from gateway.control.importer.packs import import_pack
from gateway.control.importer.problems import ImportRefused, ImportReport, Problem, Problems
from gateway.control.importer.refusals import import_refusals
from gateway.control.importer.registry import Terms, import_file, import_ranges
from gateway.control.importer.registry_file import read_registry_file
from gateway.keys import Keys

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
        report = await import_ranges(engine, path, principal, dry_run=dry_run, name=path.name)
        return replace(report, changed=0, hint=report.summary) if dry_run else report
    text = _text(path)
    if kind == "pack":
        return await import_pack(engine, text, path.name, principal, instead=instead, dry_run=dry_run)
    check_plan_file(text, path.name)
    problems = Problems(path.name)
    file = read_registry_file(text, path.parent, problems)
    problems.check()
    report = await import_file(engine, file, path.name, principal, Terms(dry_run=dry_run))
    return replace(report, changed=0, hint=report.summary) if dry_run else report


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise _refused(path.name, "file", f"byte {error.start}", "save the file as UTF-8") from None


def _refused(name: str, field: str, value: str, fix: str) -> ImportRefused:
    return ImportRefused(name, [Problem(0, field, value, fix)])


def check_plan_file(text: str, name: str) -> None:
    """That a file from elsewhere names no file of this machine. Raises ImportRefused."""
    try:
        plan = tomllib.loads(text).get("plan")
    except tomllib.TOMLDecodeError:
        return  # told, with its line, by whoever reads it
    file = plan.get("file", "") if isinstance(plan, dict) else ""
    if not ((isinstance(file, str) and file.replace("-", "").replace("_", "").isalnum()) or file == ""):
        raise _refused(name, "plan.file", repr(file), "name a plan that comes with the program, or write `csv`")
