"""Wishes of users, ours and a resale operator's: `wish …`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.changes import Agreement, Band, Callee, Home, Scope, Value
from gateway.cli.common import (
    AsJson,
    Config,
    PrincipalName,
    examples,
    keys_of,
    principal_of,
    print_json,
    utc,
    with_database,
)
from gateway.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from gateway.control.importer.wishes import Wish
    from gateway.store.sql.wish_statistics import WishStatistics

wish = typer.Typer(help="Wishes of users, each with how the user agreed.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this family."""
    app.add_typer(wish, name="wish")


def _change_wish(
    taken_back: bool,
    callee: str,
    wanted: tuple[str, str, str],
    agreement: str,
    home: str,
    principal: str,
    config: Config,
) -> None:
    """`wanted`: scope, value and band."""

    async def work(settings: Settings, engine: AsyncEngine) -> bool:
        from gateway.control.importer.wishes import set_wish, withdraw_wish

        change = withdraw_wish if taken_back else set_wish
        return await change(
            engine, keys_of(settings), callee, *wanted, agreement=agreement, home=home,
            principal=principal_of(principal),
        )  # fmt: skip

    _said("wish withdrawn" if taken_back else "wish recorded", with_database(config, work))


@wish.command("set", epilog=examples("callgate wish set --callee +8613800138000 --band 21:00-09:00 --agreement 'app'"))
def set_(
    callee: Callee,
    agreement: Agreement,
    scope: Scope = "all",
    value: Value = "",
    band: Band = "",
    home: Home = "",
    principal: PrincipalName = "",
    config: Config = None,
) -> None:
    """Record what a user does not want, by agreement with the user."""
    _change_wish(False, callee, (scope, value, band), agreement, home, principal, config)


@wish.command("withdraw", epilog=examples("callgate wish withdraw --callee +8613800138000 --agreement 'shop 12'"))
def withdraw(
    callee: Callee,
    agreement: Agreement,
    scope: Scope = "all",
    value: Value = "",
    band: Band = "",
    home: Home = "",
    principal: PrincipalName = "",
    config: Config = None,
) -> None:
    """Record that a user took a wish back; scope, value and band as it was set."""
    _change_wish(True, callee, (scope, value, band), agreement, home, principal, config)


@wish.command("show", epilog=examples("callgate wish show --callee +8613800138000"))
def show(
    callee: Callee, home: Home = "", as_json: AsJson = False, principal: PrincipalName = "", config: Config = None
) -> None:
    """A user's wishes, withdrawn ones too. That it was asked is recorded."""

    async def work(settings: Settings, engine: AsyncEngine) -> list[Wish]:
        from gateway.control.importer.wishes import wishes_of

        return await wishes_of(engine, keys_of(settings), callee, principal=principal_of(principal), home=home)

    found = with_database(config, work)
    if as_json:
        print_json(found)
        return
    for one in found:
        what = " ".join(word for word in (one.scope, one.value, one.band and f"@{one.band}") if word)
        typer.echo(f"{what}: {'in force' if one.in_force else 'withdrawn'} ({one.agreement or one.source})")
    if not found:
        typer.echo("none")


@wish.command("statistics", epilog=examples("callgate wish statistics --home mvno-1 --since 2024-05-01"))
def statistics(
    home: Home = "",
    since: Annotated[datetime | None, typer.Option(help="Not before (UTC); default: 31 days before.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Before (UTC); default now.")] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """How many calls the wishes of one operator's users refused, by day (UTC)."""

    async def work(_settings: Settings, engine: AsyncEngine) -> WishStatistics:
        from gateway.store.sql.engine import mapped_errors
        from gateway.store.sql.wish_statistics import wish_statistics

        with mapped_errors():
            async with engine.connect() as connection:
                return await wish_statistics(connection, home, utc(since), utc(until))

    found = with_database(config, work)
    if as_json:
        print_json(found)
        return
    typer.echo(f"{found.users:,} users, {found.wishes:,} wishes in force")
    for one in found.days:
        typer.echo(f"{one.day}: {one.refused:,} of {one.calls:,} calls refused")


def _said(done: str, changed: bool) -> None:
    typer.echo(done if changed else "nothing to change: a newer event, or the same one, is stored already")


