"""What takes two persons: each proves by a token of the API who he is, since a name alone is anybody's to type."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.common import fail, with_database
from gateway.process import TOKEN_VARIABLE
from gateway.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from gateway.store.sql.approvals import Approval

Ask = Annotated[
    bool, typer.Option("--ask", help=f"Ask for approval where it opens calls; {TOKEN_VARIABLE} holds your token.")
]


def own_token() -> str:
    """Of the environment; at a terminal it is asked for and not shown."""
    found = os.environ.get(TOKEN_VARIABLE, "")
    if not found and sys.stdin.isatty():
        found = str(typer.prompt("Your token", hide_input=True))
    if not found:
        fail(f"{TOKEN_VARIABLE}: empty: this takes two persons: put your token there (callgate token create)")
    return found


async def holder_of(engine: AsyncEngine, token: str) -> str:
    """Whose token it is. Raises Conflict where it is nobody's, or may not."""
    from gateway.store.ports import Conflict
    from gateway.store.sql.tokens import find_token

    principal = await find_token(engine, token)
    if principal is None:
        raise Conflict(f"{TOKEN_VARIABLE}: this token is unknown, revoked or expired: callgate token list")
    if not principal.may_agree:
        raise Conflict(
            f"{TOKEN_VARIABLE}: token {principal.name} may not: it takes role compliance or admin, and scope registry"
        )
    return principal.name


def ask(config: Any, kind: str, subject: str, payload: Mapping[str, object], reason: str) -> None:
    """Ask for a change of `control.approvals.KINDS`, and tell how it is allowed. Errors end the command."""
    token = own_token()
    if not reason:
        fail("--reason: empty: say why; whoever is to approve reads it")

    async def work(_settings: Settings, engine: AsyncEngine) -> Approval:
        from gateway.control.approvals import request

        return await request(engine, kind, subject, payload, reason, await holder_of(engine, token))

    made = with_database(config, work)
    typer.echo(
        f"approval {made.id} asked for by {made.requested_by}; nothing is changed yet: another person allows it: "
        f"callgate approval approve {made.id}"
    )
