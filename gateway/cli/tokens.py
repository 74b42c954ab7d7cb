"""`callgate token`: tokens of the REST API."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.common import (
    AsJson,
    Config,
    PrincipalName,
    examples,
    fail,
    principal_of,
    print_json,
    print_table,
    utc,
    with_database,
)
from gateway.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from gateway.store.sql.tokens import TokenRow

token = typer.Typer(help="Tokens of the REST API (/api/v1).", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this family."""
    app.add_typer(token, name="token")


@token.command(
    "create",
    epilog=examples(
        "callgate token create ann --role compliance",
        "callgate token create ann-laptop --person ann --role compliance",
        "callgate token create alpha-crm --role operator --operator alpha --expires 2030-01-01",
        "callgate token create mvno-1-care --role resale --home mvno-1",
        "callgate token create inspector --role compliance --scope read --scope reveal",
    ),
)
def create(
    name: Annotated[str, typer.Argument(help="Whom it is for: stands in the audit trail; unique.")],
    person: Annotated[
        str, typer.Option(help="Who holds it; default NAME. Tokens of one person count as one where two must agree.")
    ] = "",
    role: Annotated[str, typer.Option(help="viewer, operator, resale, compliance or admin.")] = "viewer",
    operator: Annotated[str, typer.Option(metavar="ID", help="Role operator: whose data it reads and changes.")] = "",
    home: Annotated[str, typer.Option(metavar="ID", help="Role resale: the resale operator it is for.")] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option(help="read, lists, registry, reveal, admin; more than once. Default: all of the role but reveal."),
    ] = None,
    expires: Annotated[datetime | None, typer.Option(help="End (UTC); default none.")] = None,
    principal: PrincipalName = "",
    config: Config = None,
) -> None:
    """Make an API token. It is printed once and stored as a hash.

    A viewer reads; an operator's token sees and changes that operator's data alone, a resale operator's (role resale)
    the wishes of its own users alone; compliance changes lists and
    registry, and may be given `reveal`; an admin makes tokens as well.
    """

    async def work(_settings: Settings, engine: AsyncEngine) -> str:
        from gateway.store.sql.tokens import create_token

        return await create_token(
            engine, name, role, principal_of(principal), person=person, operator=operator, home=home,
            scopes=scope or (), expires_at=utc(expires),
        )  # fmt: skip

    typer.echo(with_database(config, work))


@token.command("list")
def show(as_json: AsJson = False, config: Config = None) -> None:
    """Tokens by name, those that ended too; never the tokens themselves."""

    async def work(_settings: Settings, engine: AsyncEngine) -> list[TokenRow]:
        from gateway.store.sql.tokens import list_tokens

        return await list_tokens(engine)

    found = with_database(config, work)
    if as_json:
        print_json(found)
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in ("name", "person", "role", "bound to", "scopes", "made by", "expires", "revoked"):
        table.add_column(head, no_wrap=True)
    for row in found:
        times = [f"{at:%Y-%m-%d %H:%M}" if at else "" for at in (row.expires_at, row.revoked_at)]
        table.add_row(
            escape(row.name), escape(row.person), row.role, escape(row.operator or row.home), " ".join(row.scopes),
            escape(row.principal), *times,
        )  # fmt: skip
    print_table(table)


@token.command("revoke")
def revoke(
    name: Annotated[str, typer.Argument(help="Whose token.")],
    principal: PrincipalName = "",
    config: Config = None,
) -> None:
    """Make a token worthless, at once. Its name stays taken, for the audit trail."""

    async def work(_settings: Settings, engine: AsyncEngine) -> bool:
        from gateway.store.sql.tokens import revoke_token

        return await revoke_token(engine, name, principal_of(principal))

    if not with_database(config, work):
        fail(f"no live token of {name}")
    typer.echo("token revoked")
