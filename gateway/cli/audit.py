"""`callgate audit` and `callgate reveal`: who changed what; one subscriber number in clear, which goes on record."""

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
    keys_of,
    principal_of,
    print_json,
    utc,
    with_database,
)
from gateway.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from gateway.store.sql.audit import AuditRow


def register(app: typer.Typer) -> None:
    """Add this family."""
    app.command(
        "audit",
        epilog=examples("callgate audit --action consent --since 2024-05-01", "callgate audit --by ann --json"),
    )(audit)
    app.command(
        "reveal",
        epilog=examples("callgate reveal 9f86d081884c7d659a2feaa0c55ad015 --reason 'complaint 2024-117'"),
    )(reveal)


def audit(
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Only changes of this principal.")] = "",
    action: Annotated[str, typer.Option(metavar="ACTION", help="Only these: consent.revoke, or consent.")] = "",
    subject: Annotated[str, typer.Option("--object", metavar="NAME", help="Only changes to this, exactly.")] = "",
    since: Annotated[datetime | None, typer.Option(help="Not before (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option(help="Before (UTC).")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many, newest first.")] = 50,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Who changed what, newest first. The trail is append-only; no subscriber number stands in it but a masked one."""

    async def work(_settings: Settings, engine: AsyncEngine) -> list[AuditRow]:
        from gateway.store.sql.audit import find_changes

        return await find_changes(
            engine, principal=by or None, action=action or None, subject=subject or None, since=utc(since),
            until=utc(until), limit=limit,
        )  # fmt: skip

    found = with_database(config, work)
    if as_json:
        print_json(found)
        return
    import msgspec

    for row in found:
        detail = msgspec.json.encode(row.detail).decode()
        typer.echo(f"{row.at:%Y-%m-%d %H:%M:%S}  {row.principal:<16} {row.action:<20} {row.object}  {detail}")


def reveal(
    decision: Annotated[str, typer.Argument(metavar="DECISION", help="Whole decision id, as `calls --json` shows it.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; stands in the audit trail.")],
    principal: PrincipalName = "",
    config: Config = None,
) -> None:
    """Print the subscriber's number of one call in clear. It is written to the audit trail first."""

    async def work(settings: Settings, engine: AsyncEngine) -> str | None:
        from gateway.control.calls import reveal_call

        return await reveal_call(engine, keys_of(settings), decision.lower(), reason, principal_of(principal))

    number = with_database(config, work)
    if number is None:
        fail(f"no decision {decision}")
    typer.echo(number or "the call named no subscriber")
