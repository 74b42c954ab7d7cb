"""Commands that bring data in and take it out: `import …`, `export …`. A bad file is refused whole."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.common import Config, PrincipalName, keys_of, principal_of, with_database
from gateway.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from gateway.control.importer.problems import ImportReport

importing = typer.Typer(
    help="Import registry, rule pack, consents or refusals: whole or not at all.", no_args_is_help=True
)
exporting = typer.Typer(help="Export what is stored.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True)]


def register(app: typer.Typer) -> None:
    """Add this family."""
    app.add_typer(importing, name="import")
    app.add_typer(exporting, name="export")


@importing.command("registry")
def registry(file: File, principal: PrincipalName = "", config: Config = None) -> None:
    """Operators, trunks, number ranges, purposes, plan: a TOML file; rows are replaced by id."""

    async def work(_settings: Settings, engine: AsyncEngine) -> ImportReport:
        from gateway.control.importer.registry import import_registry

        return await import_registry(engine, _read(file), str(file), principal_of(principal))

    _report(with_database(config, work))


@importing.command("pack")
def pack(file: File, principal: PrincipalName = "", config: Config = None) -> None:
    """A rule pack (TOML): in force at once."""

    async def work(_settings: Settings, engine: AsyncEngine) -> ImportReport:
        from gateway.control.importer.packs import import_pack

        return await import_pack(engine, _read(file), str(file), principal_of(principal))

    _report(with_database(config, work))


@importing.command("consents")
def consents(file: File, principal: PrincipalName = "", config: Config = None) -> None:
    """CSV: callee,operator,purpose,granted_at,expires_at,evidence_uri and, if wanted, event (grant or
    revoke)."""

    async def work(settings: Settings, engine: AsyncEngine) -> ImportReport:
        from gateway.control.importer.consents import import_consents

        return await import_consents(engine, file, keys_of(settings), principal_of(principal), _progress)

    _report(with_database(config, work))


@importing.command("refusals")
def refusals(file: File, principal: PrincipalName = "", config: Config = None) -> None:
    """CSV: callee,scope,value,event,source,registered_at; event is declare or withdraw."""

    async def work(settings: Settings, engine: AsyncEngine) -> ImportReport:
        from gateway.control.importer.refusals import import_refusals

        return await import_refusals(engine, file, keys_of(settings), principal_of(principal), _progress)

    _report(with_database(config, work))


@exporting.command("registry")
def export_registry(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File; else stdout.")] = None,
    config: Config = None,
) -> None:
    """The registry in the form that `import registry` reads."""

    async def work(_settings: Settings, engine: AsyncEngine) -> str:
        from gateway.control.exporter import registry_toml
        from gateway.store.sql.engine import mapped_errors
        from gateway.store.sql.registry import load_snapshot

        with mapped_errors():
            async with engine.connect() as connection:
                return registry_toml(await load_snapshot(connection))

    _write(with_database(config, work), output)


@exporting.command("pack")
def export_pack(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File; else stdout.")] = None,
    config: Config = None,
) -> None:
    """The rule pack in force, as it was imported."""

    async def work(_settings: Settings, engine: AsyncEngine) -> str:
        from gateway.store.sql.engine import mapped_errors
        from gateway.store.sql.registry import load_snapshot

        with mapped_errors():
            async with engine.connect() as connection:
                return (await load_snapshot(connection)).pack

    _write(with_database(config, work), output)


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


def _progress(line: int) -> None:
    if sys.stderr.isatty():
        typer.echo(f"\rline {line:,} ", nl=False, err=True)


def _report(report: ImportReport) -> None:
    version = f"; registry version {report.version}" if report.version else ""
    typer.echo(f"{report.name}: {report.rows} rows read, {report.changed} changed something{version}")
