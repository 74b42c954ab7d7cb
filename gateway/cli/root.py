"""The command tree."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli import (
    approvals,
    audit,
    calls,
    changes,
    evidence,
    explain,
    imports,
    keys,
    lists,
    packs,
    papers,
    peer,
    replay,
    reports,
    rows,
    run,
    tokens,
    trunks,
    wishes,
)

app = typer.Typer(
    name="callgate",
    help="An asyncio SIP gate between call centres and a carrier: decides every call and keeps evidence of why.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import PackageNotFoundError, version

        from gateway.compiled import FLAVOUR

        try:
            typer.echo(f"callgate {version('callgate')} ({FLAVOUR})")
        except PackageNotFoundError:
            typer.echo(f"callgate, from a source tree that is not installed ({FLAVOUR})")
        raise typer.Exit


@app.callback()
def callgate(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """`callgate run` starts everything; `callgate demo` shows it; every command has --help."""


for module in (
    *(run, imports, changes, lists, wishes, packs, approvals, trunks, rows, papers, peer, calls, audit, evidence),
    *(explain, replay, reports, tokens, keys),
):
    module.register(app)
