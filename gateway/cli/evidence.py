"""`callgate evidence`: proves that nothing was altered, and sets aside what cannot be read any more."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.common import AsJson, Config, PrincipalName, examples, principal_of, print_json, with_database
from gateway.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from gateway.store.journal.gaps import Gap
    from gateway.store.journal.verify import VerifyReport

TORN_TRIES = 3
TORN_WAIT_S = 0.2
"""A worker may be in the middle of a line: half a record is looked at again before it is told."""

DATABASE, DISK = "database", "disk"

evidence = typer.Typer(help="Evidence.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this family."""
    app.add_typer(evidence, name="evidence")


@evidence.command("verify")
def verify(as_json: AsJson = False, config: Config = None) -> None:
    """Check the hash chain of every journal stored in PostgreSQL, and of those on this machine's disk, against each
    other too; exit 1 when anything was altered or dropped."""
    found = with_database(config, _verify)
    if as_json:
        print_json(found)
    else:
        for item in found:
            state = f"ALTERED: {item['problem']}" if item["problem"] else "whole"
            where = " on this disk" if item["where"] == DISK else ""
            typer.echo(f"{item['journal']}{where}: {state}; {item['records']} records, head {item['head']}")
        if not found:
            typer.echo("no evidence stored yet")
    if any(item["problem"] for item in found):
        raise typer.Exit(1)


async def _verify(settings: Settings, engine: AsyncEngine) -> list[dict[str, object]]:
    import dataclasses

    from gateway.store.sql.verify import verify_evidence

    stored = await verify_evidence(engine)
    found: list[dict[str, object]] = [{"where": DATABASE, **dataclasses.asdict(item)} for item in stored]
    # What is on disk was there before it was shipped: the last record shipped must be among it, or dropped before it.
    anchors = {item.journal: (item.last, item.head) for item in stored if item.last}
    for directory in journals(settings):
        report = await asyncio.to_thread(_verify_journal, directory, anchors.get(directory.name))
        if report.segments or report.problems:
            found.append(_fields(report))
    return found


def _verify_journal(directory: Path, anchor: tuple[int, str] | None) -> VerifyReport:
    from gateway.store.journal.verify import verify as verify_journal

    report = verify_journal(directory, anchor)
    for _ in range(TORN_TRIES - 1):
        if report.problems or not report.torn_bytes:
            break
        time.sleep(TORN_WAIT_S)
        report = verify_journal(directory, anchor)
    return report


def _fields(report: VerifyReport) -> dict[str, object]:
    problems = list(report.problems)
    if report.more_problems:
        problems.append(f"{report.more_problems} more")
    if report.torn_bytes:
        problems.append(f"half a record ({report.torn_bytes} bytes) at its end, which the next start cuts off")
    return {
        "where": DISK,
        "journal": report.journal,
        "records": report.records,
        "first": report.first,
        "last": report.last,
        "head": report.head,
        "problem": "; ".join(problems),
    }


@evidence.command(
    "set-aside",
    epilog=examples("callgate evidence set-aside node-1-0 --principal auditor@example"),
)
def set_aside(
    journal: Annotated[str, typer.Argument(metavar="JOURNAL", help="Name of a journal on this machine: node-1-0.")],
    principal: PrincipalName = "",
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Let shipping go on after records of a journal that cannot be read any more.

    Nothing is deleted: what is left of them is copied to set-aside/ beside the journal, and the gap is put on record
    there, in the evidence and in the audit trail. `evidence verify` names it from then on.
    """

    async def work(settings: Settings, engine: AsyncEngine) -> list[Gap]:
        return await _set_aside(settings, engine, journal, principal_of(principal))

    gaps = with_database(config, work)
    if as_json:
        print_json(gaps)
        return
    for gap in gaps:
        kept = f"; what is left of them: {', '.join(gap.files)}" if gap.files else ""
        typer.echo(f"{journal}: records {gap.first} to {gap.last} set aside: {gap.reason}{kept}")
    if not gaps:
        typer.echo(f"{journal}: everything can be read; nothing was set aside")


async def _set_aside(settings: Settings, engine: AsyncEngine, journal: str, principal: str) -> list[Gap]:
    """The gaps that were put on record now, each with its row in the audit trail."""
    from gateway.store.journal.aside import set_aside as set_journal_aside
    from gateway.store.journal.gaps import read_gaps
    from gateway.store.journal.reader import JournalBroken, Position
    from gateway.store.ports import StoreError
    from gateway.store.sql import audit
    from gateway.store.sql.engine import mapped_errors
    from gateway.store.sql.evidence import load_checkpoint

    known = {path.name: path for path in journals(settings)}
    if journal not in known:
        names = ", ".join(known) or "those of another machine"
        raise StoreError(f"JOURNAL = {journal!r}: no journal in {settings.journal_dir}; fix: name one of {names}")
    directory = known[journal]
    broken = ""
    with mapped_errors():
        async with engine.begin() as connection:
            found = await load_checkpoint(connection, journal)
            position = Position(found.segment, found.offset, found.seq, found.chain) if found and found.seq else None
            before = len(await asyncio.to_thread(read_gaps, directory))
            try:
                await asyncio.to_thread(set_journal_aside, directory, position, now=time.time())
            except JournalBroken as error:  # what was set aside before it stays so, and is told
                broken = str(error)
            gaps = (await asyncio.to_thread(read_gaps, directory))[before:]
            for gap in gaps:
                detail = {"first": gap.first, "last": gap.last, "files": gap.files, "reason": gap.reason}
                await audit.record(connection, principal, "evidence.set-aside", journal, detail)
    if broken:
        told = "".join(f"records {gap.first} to {gap.last} were set aside; " for gap in gaps)
        raise StoreError(f"{journal}: {told}{broken}")
    return gaps


def journals(settings: Settings) -> list[Path]:
    """Directories of the journals on this machine. Raises OSError."""
    try:
        return sorted(path for path in settings.journal_dir.iterdir() if path.is_dir())
    except FileNotFoundError:
        return []
