"""`callgate calls`: finds calls in the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.common import (
    AsJson,
    Config,
    PrincipalName,
    canonical,
    examples,
    fail,
    keys_of,
    principal_of,
    print_json,
    print_table,
    utc,
    with_database,
)
from gateway.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from gateway.store.sql.calls import CallRow

SHORT_ID = 16
"""Hex digits of a decision id in the table: enough to find it by."""
MIN_REASON = 3
"""Characters, as the API asks."""

EXAMPLES = examples(
    "callgate calls --limit 5",
    "callgate calls --callee +8613800138000 --since 2024-05-01",
    "callgate calls --decision 9f86d081884c7d65    (from the Warning of a refusal)",
    "callgate calls --call-id 1-4711@192.0.2.1 --json",
    "callgate calls --decision 9f86d081 --reveal --reason 'complaint 117'",
)


def register(app: typer.Typer) -> None:
    """Add this family."""
    app.command("calls", epilog=EXAMPLES)(calls)


def calls(
    caller: Annotated[str, typer.Option(metavar="NUMBER", help="Calls from this number.")] = "",
    callee: Annotated[str, typer.Option(metavar="NUMBER", help="Calls to this number.")] = "",
    call_id: Annotated[str, typer.Option("--call-id", metavar="ID", help="The SIP Call-ID, exactly.")] = "",
    decision: Annotated[str, typer.Option(metavar="ID", help="Decision id, or its beginning.")] = "",
    since: Annotated[datetime | None, typer.Option(help="Not before (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option(help="Before (UTC).")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many, newest first.")] = 50,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show subscriber numbers; each is written to the audit trail first.")
    ] = False,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="With --reveal: why; stands in the audit trail.")] = "",
    principal: PrincipalName = "",
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Find calls in the evidence: decision, answer, outcome and end. Subscriber numbers are masked.

    Several conditions narrow the search together. A call shows up when its record was shipped, within a second.
    """
    if reveal and len(reason.strip()) < MIN_REASON:
        fail(f"--reason: {reason!r}: with --reveal, say why in {MIN_REASON} characters or more")
    if reveal and not as_json and limit > 50:
        fail("--reveal shows at most 50 calls at a time; fix: give --limit 50 or less")

    async def work(settings: Settings, engine: AsyncEngine) -> list[dict[str, object]]:
        from gateway.control.calls import call_fields

        rows = await _find(settings, engine, caller, callee, call_id, decision, utc(since), utc(until), limit)
        shown = [call_fields(row) for row in rows]
        if reveal and rows:
            await _reveal(settings, engine, rows, shown, principal_of(principal), reason)
        return shown

    found = with_database(config, work)
    if as_json:
        print_json(found)
    elif not found:
        typer.echo("no calls found")
    else:
        _print(found)


async def _find(
    settings: Settings,
    engine: AsyncEngine,
    caller: str,
    callee: str,
    call_id: str,
    decision: str,
    since: datetime | None,
    until: datetime | None,
    limit: int,
) -> list[CallRow]:
    from gateway.control.calls import Search, search_calls

    numbers = [await canonical(engine, number, "number") if number else "" for number in (caller, callee)]
    search = Search(numbers[0], numbers[1], call_id, decision, since, until)
    return await search_calls(engine, keys_of(settings), search, limit)


async def _reveal(
    settings: Settings,
    engine: AsyncEngine,
    rows: Sequence[CallRow],
    shown: list[dict[str, object]],
    principal: str,
    reason: str,
) -> None:
    """Put the subscriber's number in place of the mask. Written to the audit trail first."""
    from gateway.control.calls import subscriber_of
    from gateway.gate.seal import Sealer
    from gateway.store.sql import audit
    from gateway.store.sql.engine import mapped_errors

    with mapped_errors():
        async with engine.begin() as connection:
            for row in rows:
                await audit.record(connection, principal, "call.reveal", row.decision.id, {"reason": reason})
    keys = keys_of(settings)
    sealer = Sealer(keys.seal_id, keys.seal, keys.older_seals)
    for row, fields in zip(rows, shown, strict=True):
        side = "callee" if row.decision.direction == "outbound" else "caller"
        fields[side] = subscriber_of(row, sealer) or fields[side]


def _print(found: list[dict[str, object]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("time (UTC)", "trunk", "caller", "callee", "verdict", "answer", "outcome", "end", "decision"):
        table.add_column(name, no_wrap=True)
    for call in found:
        refused = call["verdict"] != "allow"
        ended = str(call["ended_at"])
        table.add_row(
            str(call["at"])[:19].replace("T", " "),
            escape(str(call["trunk"])),
            str(call["caller"]),
            str(call["callee"]),
            f"[{'red' if refused else 'green'}]{escape(str(call['rule']))}[/]",
            str(call["status"] or ""),
            str(call["outcome"]),
            f"{ended[11:19]} by {call['ended_by']}" if ended else "",
            str(call["id"])[:SHORT_ID],
        )
    print_table(table)
