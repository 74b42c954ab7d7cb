"""`callgate approval`: changes that two principals have to agree on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.agreeing import holder_of, own_token
from gateway.cli.common import (
    AsJson,
    Config,
    PrincipalName,
    examples,
    fail,
    principal_of,
    print_json,
    print_table,
    with_database,
)
from gateway.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from gateway.store.sql.approvals import Approval

approval = typer.Typer(help="Changes that wait for a second principal.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(min=1, metavar="NUMBER", help="As `approval list` shows it.")]
Note = Annotated[str, typer.Option(metavar="TEXT", help="Why; stands in the audit trail.")]


def register(app: typer.Typer) -> None:
    """Add this family."""
    app.add_typer(approval, name="approval")


@approval.command("list", epilog=examples("callgate approval list --state pending"))
def show(
    state: Annotated[str, typer.Option(metavar="STATE", help="pending, approved, rejected or expired.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many, newest first.")] = 50,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """What was asked for, by whom, and what became of it."""
    from gateway.store.sql.approvals import STATES

    if state and state not in STATES:
        fail(f"--state {state}: write one of {', '.join(STATES)}")

    async def work(_settings: Settings, engine: AsyncEngine) -> list[Approval]:
        from gateway.control.approvals import find_approvals

        return await find_approvals(engine, state=state or None, limit=limit)

    found = with_database(config, work)
    if as_json:
        print_json(found)
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in ("number", "asked at (UTC)", "kind", "subject", "asked by", "state", "decided by", "reason"):
        table.add_column(head, no_wrap=True)
    for row in found:
        words = (row.kind, row.subject, row.requested_by, row.state, row.decided_by, row.reason)
        table.add_row(str(row.id), f"{row.requested_at:%Y-%m-%d %H:%M}", *map(escape, words))
    print_table(table)


@approval.command("show")
def one(number: Number, config: Config = None) -> None:
    """One, as JSON, with all it would be made with: a registry file's text too."""

    async def work(_settings: Settings, engine: AsyncEngine) -> Approval:
        from gateway.control.approvals import find_approval

        return await find_approval(engine, number)

    print_json(with_database(config, work))


@approval.command("approve", epilog=examples("CALLGATE_TOKEN=cg_… callgate approval approve 7 --note 'papers seen'"))
def approve(number: Number, note: Note = "", config: Config = None) -> None:
    """Allow a change that another person asked for; it is made at once. Your token says who you are."""
    token = own_token()

    async def work(_settings: Settings, engine: AsyncEngine) -> Approval:
        from gateway.control.approvals import approve as allow

        return await allow(engine, number, await holder_of(engine, token), note)

    done = with_database(config, work)
    typer.echo(f"{done.kind} of {done.subject} approved and made")


@approval.command("reject")
def reject(number: Number, note: Note = "", principal: PrincipalName = "", config: Config = None) -> None:
    """Turn a change down, or take back one's own."""

    async def work(_settings: Settings, engine: AsyncEngine) -> Approval:
        from gateway.control.approvals import reject as turn_down

        return await turn_down(engine, number, principal_of(principal), note)

    done = with_database(config, work)
    typer.echo(f"{done.kind} of {done.subject} rejected")
