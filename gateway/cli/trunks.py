"""Passwords of trunks that log in. What else there is to a trunk: `rows`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.common import Config, PrincipalName, examples, keys_of, principal_of, with_database
from gateway.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

trunk = typer.Typer(help="Trunks, and the passwords of those that log in.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this family."""
    app.add_typer(trunk, name="trunk")


@trunk.command(
    "secret",
    epilog=examples(
        "callgate trunk secret cc-gamma pbx-7    (asks for the password)",
        "callgate trunk secret cc-gamma pbx-7 < password.txt",
    ),
)
def secret(
    trunk_id: Annotated[str, typer.Argument(metavar="TRUNK", help="A trunk with digest accounts.")],
    user: Annotated[str, typer.Argument(metavar="USER", help="One of its users.")],
    principal: PrincipalName = "",
    config: Config = None,
) -> None:
    """Set the password a phone or exchange logs in with (SIP digest, RFC 8760).

    The password is read from standard input, one line; at a terminal it is asked for and not shown. Only the hashes
    that digest needs are kept, sealed with the key file. A running gateway takes them within a second.
    """
    password = _read()

    async def work(settings: Settings, engine: AsyncEngine) -> tuple[int, tuple[str, ...]]:
        from gateway.control.importer.secrets import set_secret

        return await set_secret(engine, keys_of(settings), trunk_id, user, password, principal_of(principal))

    version, algorithms = with_database(config, work)
    typer.echo(f"password of {user} set for {', '.join(algorithms)}; registry version {version}")


def _read() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline(4_096).rstrip("\r\n")
