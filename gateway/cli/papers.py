"""Commands on papers and on the registry as a whole: documents, restrictions, checks, versions."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.agreeing import Ask, ask
from gateway.cli.common import (
    AsJson,
    Config,
    PrincipalName,
    examples,
    print_json,
    utc,
    with_database,
)
from gateway.cli.rows import Changes, Reason, by_whom, cell, change_registry, read_change, said, show_table
from gateway.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from gateway.control.registry_admin import Changed, Difference, Report
    from gateway.store.sql.restrictions import Said

document = typer.Typer(help="Papers: licences, promises, certificates, filings, findings.", no_args_is_help=True)
restriction = typer.Typer(help="Outbound access limited after violations.", no_args_is_help=True)
registry = typer.Typer(help="The registry as a whole: checks and versions.", no_args_is_help=True)

Subject = Annotated[str, typer.Argument(metavar="SUBJECT", help="An operator's or trunk's id, or a number.")]
Number = Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="Of `callgate restriction list`.")]
Version = Annotated[int, typer.Argument(metavar="VERSION", min=0, help="A version of `callgate registry versions`.")]


def register(app: typer.Typer) -> None:
    """Add these families."""
    app.add_typer(document, name="document")
    app.add_typer(restriction, name="restriction")
    app.add_typer(registry, name="registry")


@document.command(
    "add",
    epilog=examples(
        "callgate document add beta-licence-2 kind=licence operator=beta 'holder=Beta Call Centre' "
        "service=call_centre supersedes=beta-licence valid_to=2030-01-01T00:00:00+08:00 --file licence.pdf"
    ),
)
def add_document(
    row_id: Annotated[str, typer.Argument(metavar="ID", help="A new id.")],
    fields: Changes,
    file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="The paper; its SHA-256 is recorded.")
    ] = None,
    reason: Reason = "",
    principal: PrincipalName = "",
    config: Config = None,
) -> None:
    """Record a document, with the fields of its kind. It is never changed: a later one names it in `supersedes`."""
    values: dict[str, object] = {"id": row_id, **dict(read_change(one) for one in fields)}
    if file is not None:
        import hashlib

        with file.open("rb") as content:
            values["sha256"] = hashlib.file_digest(content, "sha256").hexdigest()

    async def work(connection: AsyncConnection) -> Changed:
        from gateway.control.registry_admin import record_document

        return await record_document(connection, values, by_whom(principal, reason))

    said(change_registry(config, work))


@document.command("list")
def documents(
    operator: Annotated[str, typer.Option(metavar="ID", help="Only this operator's.")] = "",
    kind: Annotated[str, typer.Option(metavar="KIND", help="Only this kind.")] = "",
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """List them."""

    async def run(_settings: Settings, engine: AsyncEngine) -> list[dict[str, object]]:
        from gateway.control.importer.registry_rows import document_row
        from gateway.store.sql.documents import find_documents

        async with engine.connect() as connection:
            found = await find_documents(connection, operator=operator, kind=kind, limit=1_000_000)
            return [document_row(one) for one in found]

    rows = with_database(config, run)
    columns = ("id", "kind", "operator", "reference", "result", "valid_from", "valid_to", "supersedes", "recorded_by")
    if as_json:
        print_json(rows)
    else:
        show_table(columns, [[cell(row.get(name, "")) for name in columns] for row in rows])


@restriction.command("add", epilog=examples("callgate restriction add trunk cc-alpha --reason 'calls without consent'"))
def restrict(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="operator, trunk or number.")],
    subject: Subject,
    reason: Reason,
    since: Annotated[datetime | None, typer.Option("--from", help="From when (UTC); default now.")] = None,
    until: Annotated[datetime | None, typer.Option("--to", help="Until when (UTC); default until lifted.")] = None,
    principal: PrincipalName = "",
    config: Config = None,
) -> None:
    """Refuse outbound calls of an operator, a trunk or a number. Inbound calls go on."""
    first, last = (at.timestamp() if at else 0.0 for at in (utc(since), utc(until)))

    async def work(connection: AsyncConnection) -> tuple[int, Changed]:
        from gateway.control import registry_admin

        return await registry_admin.restrict(connection, kind, subject, by_whom(principal, reason), first, last)

    made, changed = change_registry(config, work)
    typer.echo(f"restriction {made}; registry version {changed.version}")


@restriction.command("lift", epilog=examples("callgate restriction lift 7 --reason mended"))
def lift(
    number: Number,
    reason: Reason,
    config: Config = None,
) -> None:
    """Ask for the end of a restriction; another person allows it (`approval`)."""
    ask(config, "restriction.lift", str(number), {}, reason)


@restriction.command("notice", epilog=examples("callgate restriction notice 7 --reason 'letter of 3 May'"))
def notice(number: Number, reason: Reason, principal: PrincipalName = "", config: Config = None) -> None:
    """Record that whom a restriction concerns was told of it, and how."""
    _say_of(config, number, "notice", reason, principal)


@restriction.command("appeal", epilog=examples("callgate restriction appeal 7 --reason 'consents were on paper'"))
def appeal(number: Number, reason: Reason, principal: PrincipalName = "", config: Config = None) -> None:
    """Record what they say against it. It stays in force until it is lifted."""
    _say_of(config, number, "appeal", reason, principal)


def _say_of(config: Path | None, number: int, what: Said, reason: str, principal: str) -> None:
    async def work(connection: AsyncConnection) -> None:
        from gateway.control import registry_admin

        await registry_admin.say_of(connection, number, what, by_whom(principal, reason))

    change_registry(config, work)
    typer.echo(f"restriction {number}: {what} recorded")


@restriction.command("list")
def restrictions(
    ended: Annotated[bool, typer.Option("--ended", help="The past ones too.")] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """List those in force or to come."""

    async def run(_settings: Settings, engine: AsyncEngine) -> list[Any]:
        from gateway.store.sql.restrictions import restriction_rows

        async with engine.connect() as connection:
            return list(await restriction_rows(connection, ended))

    rows = with_database(config, run)
    if as_json:
        print_json(rows)
        return
    columns = ("id", "kind", "subject", "reason", "from", "to", "by", "lifted by", "approver")
    cells = [
        [str(row.id), row.kind, row.subject, row.reason, _time(row.from_at), _time(row.to_at), row.principal,
         row.lifted_by, row.approver]
        for row in rows
    ]  # fmt: skip
    show_table(columns, cells)


@registry.command("check", epilog=examples("callgate registry check", "callgate registry check --at 2030-01-01"))
def check(
    at: Annotated[datetime | None, typer.Option(help="As of a time (UTC); default now.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 also for what bars no calls.")] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """What is wrong with papers, by clause, and what ends within 60, 30 or 7 days.

    Exit code 1: something bars calls."""
    moment = utc(at)

    async def run(_settings: Settings, engine: AsyncEngine) -> Report:
        from gateway.control.registry_admin import check_report

        async with engine.connect() as connection:
            return await check_report(connection, moment.timestamp() if moment else 0.0)

    report = with_database(config, run)
    if as_json:
        print_json(report)
    else:
        _print(report)
    found = report.problems or report.issues or report.expiring if strict else report.problems or report.bars
    raise typer.Exit(1 if found else 0)


def _print(report: Report) -> None:
    words = {"bar": "no calls", "hold": "no activation", "late": "late", "note": "note"}
    for problem in report.problems:
        typer.echo(f"invalid        {problem}")
    for issue in report.issues:
        typer.echo(f"{words[issue.level]:<14} {issue}")
    if len(report.issues) < report.bars + report.others:
        typer.echo(f"… and {report.bars + report.others - len(report.issues)} more: mend these first")
    for one in report.expiring:
        when = f"ends within {one.days} days" if one.days else "has ended"
        typer.echo(f"{when:<20} {one.what} of {one.operator or 'nobody'}: {_time(one.ends)}")
    for paper in report.commitments:
        typer.echo(f"commitment     {paper} of {paper.operator} (A49)")
    typer.echo(
        f"registry version {report.version} at {_time(report.at)}: {report.bars} bar calls, "
        f"{report.others} others, {len(report.expiring)} end soon"
    )


@registry.command("versions")
def versions(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many, newest first.")] = 20,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Who changed the registry, when and why."""

    async def run(_settings: Settings, engine: AsyncEngine) -> list[Any]:
        from gateway.store.sql.registry_versions import version_rows

        async with engine.connect() as connection:
            return list(await version_rows(connection, limit))

    rows = with_database(config, run)
    if as_json:
        print_json(rows)
        return
    columns = ("version", "at", "by", "action", "subject", "rows", "reason", "approver")
    cells = [
        [str(row.version), _time(row.at), row.principal, row.action, row.subject, str(row.changed), row.reason,
         row.approver]
        for row in rows
    ]  # fmt: skip
    show_table(columns, cells)


@registry.command("diff", epilog=examples("callgate registry diff 12", "callgate registry diff 12 14"))
def diff(
    old: Version,
    new: Annotated[int, typer.Argument(metavar="[VERSION]", min=0, help="Default: the present.")] = 0,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """What differs between two versions, field by field."""

    async def run(_settings: Settings, engine: AsyncEngine) -> list[Difference]:
        from gateway.control.registry_admin import difference

        async with engine.connect() as connection:
            return await difference(connection, old, new)

    found = with_database(config, run)
    if as_json:
        print_json(found)
        return
    for one in found:
        typer.echo(f"{one.kind} {one.id}.{one.field}: {one.before or '(none)'} -> {one.after or '(none)'}")
    if not found:
        typer.echo("nothing differs")


@registry.command("rollback", epilog=examples("callgate registry rollback 12 --reason 'wrong file imported'"))
def rollback(
    version: Version,
    reason: Reason,
    allow_shrink: Annotated[bool, typer.Option("--allow-shrink", help="Though it takes much away.")] = False,
    asking: Ask = False,
    principal: PrincipalName = "",
    config: Config = None,
) -> None:
    """Put operators, tenants, trunks, ranges and plan back as they were at a version, as a new version.

    Documents, restrictions, the rule pack, passwords and drained peers stay as they are. What opens calls by it takes
    a second person (--ask).
    """
    if asking:
        ask(config, "registry.rollback", str(version), {"allow_shrink": allow_shrink}, reason)
        return

    async def run(settings: Settings, engine: AsyncEngine) -> Changed:
        from gateway.control import registry_admin

        by, share = by_whom(principal, reason), settings.registry.max_shrink

        async def work(connection: AsyncConnection) -> Changed:
            return await registry_admin.rollback(connection, version, by, allow_shrink, share)

        return await registry_admin.changing(engine, work)

    said(with_database(config, run))


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(sep=" ", timespec="seconds") if at else ""
