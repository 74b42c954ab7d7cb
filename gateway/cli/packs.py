"""Commands about the rule packs in force: `packs`, `pack withdraw`. `import pack` brings one in."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

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
from gateway.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from gateway.control.packs import PackInForce

pack = typer.Typer(help="Rule packs (import pack brings one in).", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this family."""
    app.command("packs", epilog=examples("callgate packs", "callgate packs --at 2024-05-01T12:00:00"))(packs)
    app.add_typer(pack, name="pack")


def packs(
    at: Annotated[datetime | None, typer.Option(help="Those in force at a time (UTC); default now.")] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """The rule packs in force, and whose calls each judges: the pack that names the trunk a call comes from, else the
    one that names the class of the trunk's operator, else the default."""

    async def work(_settings: Settings, engine: AsyncEngine) -> list[PackInForce]:
        from gateway.control.packs import packs_in_force
        from gateway.store.sql.engine import mapped_errors

        with mapped_errors():
            async with engine.connect() as connection:
                return await packs_in_force(connection, utc(at))

    found = with_database(config, work)
    if as_json:
        print_json(found)
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("pack", "version", "binds", "in force since", *(["until"] if at else []), "by", "title"):
        table.add_column(name, no_wrap=True)
    for one in found:
        until = [f"{one.until:%Y-%m-%d %H:%M:%S}" if one.until else "now"] if at else []
        words = (one.binds, f"{one.since:%Y-%m-%d %H:%M:%S}", *until, one.principal, one.title)
        table.add_row(one.id, str(one.version), *map(escape, words))
    print_table(table, *([] if found else ["no rule pack was in force" if at else "no rule pack is in force"]))


@pack.command("withdraw", epilog=examples("callgate pack withdraw cn-sms-voice-draft-2020"))
def withdraw(
    pack_id: Annotated[str, typer.Argument(metavar="ID", help="A pack in force, not the default.")],
    principal: PrincipalName = "",
    config: Config = None,
) -> None:
    """Take a rule pack out of force. Its calls are judged by the pack that names their operators' class, or by the
    default, which cannot be withdrawn: `import pack FILE --instead ID` puts another in its place."""

    async def work(_settings: Settings, engine: AsyncEngine) -> int:
        from gateway.control.importer.packs import withdraw_pack

        return await withdraw_pack(engine, pack_id, principal_of(principal))

    typer.echo(f"{pack_id} is withdrawn; registry version {with_database(config, work)}")
