"""Commands on registry rows: operators, tenants, trunks, number ranges. Each is shown, changed, and put in or out of
use with the checks of an import and of the API."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gateway.cli.agreeing import Ask, ask
from gateway.cli.common import (
    AsJson,
    Config,
    PrincipalName,
    examples,
    principal_of,
    print_json,
    print_table,
    utc,
    with_database,
)
from gateway.cli.trunks import trunk
from gateway.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from gateway.control.registry_admin import Changed

operator = typer.Typer(help="Operators: call centres and what they are in law.", no_args_is_help=True)
tenant = typer.Typer(help="Tenants of seat rentals.", no_args_is_help=True)
number_range = typer.Typer(help="Number ranges and their life cycle.", no_args_is_help=True)

RowId = Annotated[str, typer.Argument(metavar="ID", help="Its id.")]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why.")]
Changes = Annotated[
    list[str],
    typer.Argument(metavar="FIELD=VALUE…", help="Fields as in a registry file; an empty value is the default."),
]
SHOWN = {
    "operator": ("id", "name", "class", "state", "credit_code"),
    "tenant": ("id", "operator", "name", "state", "credit_code"),
    "trunk": ("id", "side", "operator", "state", "outbound", "inbound", "sources", "carrier", "contract_to"),
    "range": ("id", "first", "last", "operator", "trunks", "outbound", "inbound", "state", "steps"),
}
"""Columns of the lists."""


def register(app: typer.Typer) -> None:
    """Add these families."""
    app.add_typer(operator, name="operator")
    app.add_typer(tenant, name="tenant")
    app.add_typer(number_range, name="range")
    for group, kind in ((operator, "operator"), (tenant, "tenant"), (trunk, "trunk"), (number_range, "range")):
        _add(group, kind)


def _add(group: typer.Typer, kind: Any) -> None:
    """list, show and set; activate and suspend where there is such a state."""

    def listing(as_json: AsJson = False, config: Config = None) -> None:
        """List them."""
        rows = [_row(kind, row) for row in _find(config, kind)]
        if as_json:
            print_json(rows)
        else:
            columns = SHOWN[kind]
            show_table(columns, [[cell(row.get(name, "")) for name in columns] for row in rows])

    def show(row_id: RowId, as_json: AsJson = False, config: Config = None) -> None:
        """Show one, as a registry file has it."""
        row = _row(kind, _one(config, kind, row_id))
        if as_json:
            print_json(row)
            return
        for name, value in row.items():
            typer.echo(f"{name} = {cell(value)}")

    def put(
        row_id: RowId,
        changes: Changes,
        reason: Reason = "",
        asking: Ask = False,
        principal: PrincipalName = "",
        config: Config = None,
    ) -> None:
        """Change fields of one, or make it. What the result contradicts is named, and nothing is changed."""
        values = dict(read_change(one) for one in changes)
        if asking:
            payload = {"kind": kind, "id": row_id, "changes": values}
            ask(config, "registry.put", f"{kind} {row_id}", payload, reason)
            return

        async def work(connection: AsyncConnection) -> Changed:
            from gateway.control.registry_admin import put_row

            return await put_row(connection, kind, row_id, values, by_whom(principal, reason))

        said(change_registry(config, work))

    group.command("list")(listing)
    group.command("show")(show)
    group.command("set", epilog=examples(f"callgate {kind} set {_EXAMPLES[kind]}"))(put)
    if kind != "range":
        _add_states(group, kind)


_EXAMPLES = {
    "operator": "gamma 'name=Gamma Call Centre' class=call_centre",
    "tenant": "shop-1 operator=gamma 'name=Shop One'",
    "trunk": "cc-gamma operator=gamma side=access 'sources=[\"127.0.0.4\"]' 'next_hops=[\"127.0.0.4:5060\"]'",
    "range": "alpha-400 'purposes=[\"consultation\"]'",
}


def _add_states(group: typer.Typer, kind: Literal["operator", "tenant", "trunk"]) -> None:
    def activate(row_id: RowId, reason: Reason, config: Config = None) -> None:
        """Ask for it to be put into use; another person allows it (`approval`). All that papers lack is listed."""
        ask(config, "registry.activate", row_id, {"kind": kind}, reason)

    def suspend(row_id: RowId, reason: Reason = "", principal: PrincipalName = "", config: Config = None) -> None:
        """Take out of use: no new calls; those that are up go on."""

        async def work(connection: AsyncConnection) -> Changed:
            from gateway.control import registry_admin

            return await registry_admin.suspend(connection, kind, row_id, by_whom(principal, reason))

        said(change_registry(config, work))

    group.command("activate")(activate)
    group.command("suspend")(suspend)


@number_range.command(
    "state",
    epilog=examples(
        "callgate range state alpha-400 suspended --reason complaints",
        "callgate range state alpha-400 recalled --from 2030-01-01T00:00:00",
    ),
)
def state(
    row_id: RowId,
    state: Annotated[str, typer.Argument(metavar="STATE", help="assigned, filed, enabled, suspended or recalled.")],
    since: Annotated[
        datetime | None, typer.Option("--from", help="From when (UTC); default now. It may lie ahead.")
    ] = None,
    reason: Reason = "",
    principal: PrincipalName = "",
    config: Config = None,
) -> None:
    """Put a number range into a state: assigned, filed, enabled, suspended, recalled. One that lies ahead takes effect
    at its second by itself; `enabled` is asked for, and another person allows it (`approval`)."""
    at = utc(since)
    moment = at.timestamp() if at else 0.0
    if state == "enabled":
        ask(config, "range.enable", row_id, {"from": moment}, reason)
        return

    async def work(connection: AsyncConnection) -> Changed:
        from gateway.control.registry_admin import set_range_state

        return await set_range_state(connection, row_id, state, by_whom(principal, reason), moment)

    said(change_registry(config, work))


def by_whom(principal: str, reason: str) -> Any:
    """Who changes something, as `registry_admin.By`."""
    from gateway.control.registry_admin import By

    return By(principal_of(principal), reason)


def change_registry(config: Any, work: Any) -> Any:
    """Run a change in a transaction of its own; errors end the command."""
    async def run(_settings: Settings, engine: AsyncEngine) -> Any:
        from gateway.control.registry_admin import changing

        return await changing(engine, work)

    return with_database(config, run)


def said(changed: Changed) -> None:
    """Tell what came of it."""
    typer.echo(f"done; registry version {changed.version}" if changed.rows else "nothing to change: it is so already")


def _find(config: Any, kind: str, row_id: str = "") -> list[Any]:
    async def run(_settings: Settings, engine: AsyncEngine) -> list[Any]:
        from gateway.store.sql.engine import mapped_errors
        from gateway.store.sql.registry_find import find_rows

        with mapped_errors():
            async with engine.connect() as connection:
                return await find_rows(connection, kind, row_id=row_id, limit=1_000_000)

    return with_database(config, run)


def _one(config: Any, kind: str, row_id: str) -> Any:
    found = _find(config, kind, row_id)
    if not found:
        typer.echo(f"callgate: {kind}: {row_id!r}: there is none of this id: callgate {kind} list", err=True)
        raise typer.Exit(1)
    return found[0]


def _row(kind: str, row: Any) -> dict[str, object]:
    from gateway.control.registry_admin.rows import KINDS

    shown = KINDS[kind].row(row)
    if "digest" in shown:  # names, not the sealed secrets
        shown["digest"] = [{"user": one.user, "realm": one.realm} for one in row.digest]
    return shown


def read_change(text: str) -> tuple[str, object]:
    """`field=value`: a TOML value, or text as it stands."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"{text!r}: write FIELD=VALUE")
    if not value:
        return name, None
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name, value


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows of text under their names."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(escape, row))
    print_table(table)


def cell(value: object) -> str:
    """A value for a person."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ", ".join(map(cell, value))
    if isinstance(value, dict):
        return " ".join(f"{name}={cell(item)}" for name, item in value.items())
    return str(value)
