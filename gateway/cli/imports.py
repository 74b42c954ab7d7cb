"""Commands that bring data in and take it out: `import …`, `export …`. A bad file is refused whole."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TextIO

import typer

from gateway.cli.common import Config, PrincipalName, examples, keys_of, principal_of, with_database
from gateway.cli.progress import import_bar
from gateway.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from gateway.control.importer.problems import ImportReport

importing = typer.Typer(
    help="Import registry, number ranges, rule pack, consents or refusals: whole or not at all.", no_args_is_help=True
)
exporting = typer.Typer(help="Export what is stored.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True)]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would change, with the first differences; change nothing.")
]
HomeOf = Annotated[str, typer.Option("--home", metavar="ID", help="A resale operator's users; default: ours.")]
Format = Annotated[Literal["csv", "jsonl"], typer.Option(help="How rows are written.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="File, readable for you alone; else stdout.")]
PackFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="A file, or the name of a pack that comes with the program: example.")
]


def register(app: typer.Typer) -> None:
    """Add this family."""
    app.add_typer(importing, name="import")
    app.add_typer(exporting, name="export")


@importing.command(
    "registry",
    epilog=examples(
        "callgate import registry registry.toml",
        "callgate export registry -o registry.toml    (a file to begin with)",
    ),
)
def registry(
    file: File,
    whole: Annotated[bool, typer.Option("--whole", help="Trunks, ranges, tenants the file does not name go.")] = False,
    allow_shrink: Annotated[bool, typer.Option("--allow-shrink", help="Though it takes much away.")] = False,
    dry_run: DryRun = False,
    principal: PrincipalName = "",
    config: Config = None,
) -> None:
    """Operators, tenants, trunks, number ranges, documents, purposes, plan: a TOML file; rows are replaced by id.

    Rows the file does not name stay as they are. A file that would take away more than `registry.max_shrink` of the
    numbers, or leave a hole in a range, is refused without --allow-shrink. A running gateway switches to the new
    version within a second.
    Calls are taken once a rule pack is imported too.
    """

    async def work(settings: Settings, engine: AsyncEngine) -> ImportReport:
        from gateway.control.importer.registry import import_registry

        return await import_registry(
            engine, _read(file), str(file), principal_of(principal), whole=whole, allow_shrink=allow_shrink,
            max_shrink=settings.registry.max_shrink, dry_run=dry_run,
        )  # fmt: skip

    report(with_database(config, work))


@importing.command(
    "ranges",
    epilog=examples(
        "callgate import ranges ranges.csv --dry-run",
        "callgate export ranges -o ranges.csv    (a file to begin with)",
    ),
)
def ranges(
    file: File,
    whole: Annotated[bool, typer.Option("--whole", help="Ranges the file does not name go.")] = False,
    allow_shrink: Annotated[bool, typer.Option("--allow-shrink", help="Though it takes much away.")] = False,
    dry_run: DryRun = False,
    principal: PrincipalName = "",
    config: Config = None,
) -> None:
    """Number ranges alone, CSV: id, first, last, operator, trunks; if wanted, egress, outbound, inbound, purposes,
    certificate, filing, valid_from, valid_to, state, steps, length, regions, carriers, tenant.

    Lists are separated by ';'. true or false; times in RFC 3339 (2024-01-31T09:00:00+08:00); steps as STATE@TIME. An
    empty cell is as if the column were not there. The rows mean what [[range]] means in a registry file, and are
    checked alike; a hundred thousand take seconds.
    """

    async def work(settings: Settings, engine: AsyncEngine) -> ImportReport:
        from gateway.control.importer.registry import import_ranges

        with import_bar() as bar:
            return await import_ranges(
                engine, file, principal_of(principal), bar, whole=whole, allow_shrink=allow_shrink,
                max_shrink=settings.registry.max_shrink, dry_run=dry_run,
            )  # fmt: skip

    report(with_database(config, work))


@importing.command(
    "pack",
    epilog=examples(
        "callgate import pack my-pack.toml",
        "callgate import pack example",
        "callgate import pack cn-call-centre-2020 --instead example    (another default)",
    ),
)
def pack(
    file: PackFile,
    instead: Annotated[
        str, typer.Option(metavar="ID", help="Withdraw this pack in the same step; needed to change the default.")
    ] = "",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; stands in the history of packs.")] = "",
    approver: Annotated[str, typer.Option(metavar="NAME", help="Who agreed; stands there too.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check it, change nothing.")] = False,
    principal: PrincipalName = "",
    config: Config = None,
) -> None:
    """A rule pack (TOML): in force at once, beside packs of other ids (`callgate packs`). It lists every rule; a
    changed pack needs a higher version.

    [binds] says whose calls it judges: those of trunks, or of classes of operators; exactly one pack in force names
    neither and judges all others. A pack that cannot be read, or that names what another names, is refused whole and
    the packs in force stay.
    """
    path = _pack_path(file)

    async def work(_settings: Settings, engine: AsyncEngine) -> ImportReport:
        from gateway.control.importer.packs import import_pack

        return await import_pack(
            engine, _read(path), str(path), principal_of(principal), instead=instead, reason=reason, approver=approver,
            dry_run=dry_run,
        )  # fmt: skip

    report(with_database(config, work))


@importing.command("consents", epilog=examples("callgate import consents consents.csv --principal compliance"))
def consents(file: File, dry_run: DryRun = False, principal: PrincipalName = "", config: Config = None) -> None:
    """CSV or JSON Lines: callee, operator, purpose, granted_at, expires_at, evidence_uri; if wanted, event (grant or
    revoke), evidence_sha256 (hex), evidence_method (call, web, app, sms, paper, in_person, other), evidence_at.

    Numbers as +8613800138000 or a short code, times in RFC 3339 (2024-01-31T09:00:00+08:00), unknown ones empty.
    The newer event counts, whatever the order of the files; a file may be imported again.
    """

    async def work(settings: Settings, engine: AsyncEngine) -> ImportReport:
        from gateway.control.importer.consents import import_consents

        keys = keys_of(settings)
        with import_bar() as bar:
            return await import_consents(engine, file, keys, principal_of(principal), bar, dry_run=dry_run)

    report(with_database(config, work))


@importing.command("refusals", epilog=examples("callgate import refusals refusals.csv"))
def refusals(
    file: File, home: HomeOf = "", dry_run: DryRun = False, principal: PrincipalName = "", config: Config = None
) -> None:
    """CSV or JSON Lines: callee, scope, value, event, source, registered_at; event is declare or withdraw. If wanted,
    band (hours in which it counts, callee's time, such as mon-fri 12:00-14:00) and agreement (how the user agreed).

    Scope and value: all (empty), category (a purpose), caller_prefix (digits), caller (a number), operator (its id).
    """

    async def work(settings: Settings, engine: AsyncEngine) -> ImportReport:
        from gateway.control.importer.refusals import import_refusals

        keys = keys_of(settings)
        with import_bar() as bar:
            return await import_refusals(engine, file, keys, principal_of(principal), bar, home=home, dry_run=dry_run)

    report(with_database(config, work))


@exporting.command("registry")
def export_registry(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File; else stdout.")] = None,
    config: Config = None,
) -> None:
    """The whole registry in the form that `import registry` reads: plan, purposes, operators, tenants, trunks, ranges,
    documents."""

    async def work(_settings: Settings, engine: AsyncEngine) -> str:
        from gateway.control.exporter import registry_toml
        from gateway.store.sql.documents import load_documents
        from gateway.store.sql.engine import mapped_errors
        from gateway.store.sql.registry import load_snapshot, purpose_titles

        with mapped_errors():
            async with engine.connect() as connection:
                titles = await purpose_titles(connection)
                return registry_toml(await load_snapshot(connection), titles, await load_documents(connection))

    _write(with_database(config, work), output)


@exporting.command("ranges", epilog=examples("callgate export ranges -o ranges.csv"))
def export_ranges(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File; else stdout.")] = None,
    config: Config = None,
) -> None:
    """All number ranges as CSV, in the form that `import ranges` reads."""

    async def work(_settings: Settings, engine: AsyncEngine) -> str:
        from gateway.control.importer.ranges_csv import write_ranges
        from gateway.store.sql.engine import mapped_errors
        from gateway.store.sql.registry import load_snapshot

        with mapped_errors():
            async with engine.connect() as connection:
                rows = (await load_snapshot(connection)).ranges
        out = io.StringIO()
        write_ranges(out, rows)
        return out.getvalue()

    _write(with_database(config, work), output)


@exporting.command("pack", epilog=examples("callgate export pack -o pack.toml", "callgate export pack example"))
def export_pack(
    pack_id: Annotated[str, typer.Argument(metavar="[ID]", help="A pack in force; default: the default pack.")] = "",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File; else stdout.")] = None,
    config: Config = None,
) -> None:
    """A rule pack in force, as it was imported."""

    async def work(_settings: Settings, engine: AsyncEngine) -> str:
        from gateway.control.importer.problems import NO_PACK
        from gateway.control.packs import pack_in_force
        from gateway.store.ports import StoreError
        from gateway.store.sql.engine import mapped_errors
        from gateway.store.sql.packs import texts_in_force

        with mapped_errors():
            async with engine.connect() as connection:
                texts = await texts_in_force(connection)
        found = pack_in_force(texts, pack_id)
        if not found and texts:
            raise StoreError(f"pack: {pack_id!r}: not in force; fix: name one of {', '.join(texts)}")
        if not found:
            raise StoreError(NO_PACK)
        return found

    _write(with_database(config, work), output)


@exporting.command("consents", epilog=examples("callgate export consents --operator alpha -o alpha.csv"))
def export_consents_(
    output: Output = None,
    form: Format = "csv",
    operator: Annotated[str, typer.Option(metavar="ID", help="Of one operator; default all.")] = "",
    principal: PrincipalName = "",
    config: Config = None,
) -> None:
    """Consents as `import consents` reads them. The numbers are in clear: the export is recorded."""

    async def work(settings: Settings, engine: AsyncEngine) -> int:
        from gateway.control.list_exporter import export_consents

        with _private(output) as out:
            return await export_consents(engine, keys_of(settings), out, form, principal_of(principal), operator)

    typer.echo(f"{with_database(config, work)} rows", err=True)


@exporting.command("refusals", epilog=examples("callgate export refusals --form jsonl -o refusals.jsonl"))
def export_refusals_(
    output: Output = None,
    form: Format = "csv",
    home: HomeOf = "",
    principal: PrincipalName = "",
    config: Config = None,
) -> None:
    """Refusals as `import refusals` reads them. The numbers are in clear: the export is recorded."""

    async def work(settings: Settings, engine: AsyncEngine) -> int:
        from gateway.control.list_exporter import export_refusals

        with _private(output) as out:
            return await export_refusals(engine, keys_of(settings), out, form, principal_of(principal), home)

    typer.echo(f"{with_database(config, work)} rows", err=True)


@contextmanager
def _private(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    with open(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        yield out


def _pack_path(given: Path) -> Path:
    """The file; where there is none, the pack of that name that comes with the program."""
    from gateway.shipped import shipped

    if not given.exists() and given.name == str(given) and not given.suffix:
        known = shipped("packs", f"{given}.toml")
        return known if known.exists() else given
    return given


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: byte {error.start}: not UTF-8; fix: save the file as UTF-8") from None


def _write(text: str, output: Path | None) -> None:
    if output is None:
        typer.echo(text, nl=not text.endswith("\n"))
    else:
        output.write_text(text, encoding="utf-8")


def report(done: ImportReport) -> None:
    """Say what an import did, or would do."""
    for warning in done.warnings:
        typer.echo(f"warning: {warning}", err=True)
    if done.dry_run and done.kind == "pack":
        typer.echo(f"{done.name}: good, {done.rows} rules; nothing was changed")
        return
    if done.dry_run:
        typer.echo(f"{done.name}: {done.rows} rows read, nothing was changed; {done.summary}")
        return
    kind = "feed" if done.kind == "feed" else "registry"
    version = f"; {kind} version {done.version}" if done.version else ""
    typer.echo(f"{done.name}: {done.rows} rows read, {done.changed} changed something{version}")
    if done.hint:
        typer.echo(f"no call is taken yet: {done.hint}")
