"""`callgate report`: what the evidence says of operators, trunks and calls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.common import (
    AsJson,
    Config,
    canonical,
    examples,
    keys_of,
    print_json,
    print_table,
    utc,
    with_database,
)
from gateway.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from gateway.store.sql.reports import BehaviourFinding, ForeignNumber, Traffic

DAYS = 31
Since = Annotated[datetime | None, typer.Option(help=f"Not before (UTC); default {DAYS} days ago.")]
Until = Annotated[datetime | None, typer.Option(help="Before (UTC); default now.")]

report = typer.Typer(help="Reports on the evidence: traffic, findings, traces.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this family."""
    app.add_typer(report, name="report")


def _span(since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
    end = utc(until) or datetime.now(UTC)
    return utc(since) or end - timedelta(days=DAYS), end


@report.command("traffic", epilog=examples("callgate report traffic --since 2026-01-01 --threshold 30"))
def traffic(
    since: Since = None,
    until: Until = None,
    threshold: Annotated[int, typer.Option(min=0, max=100, help="Outbound percentage that is flagged.")] = 50,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Calls let through, inbound and outbound, by operator and month: a call centre is mainly called (A05)."""

    async def work(_settings: Settings, engine: AsyncEngine) -> list[Traffic]:
        from gateway.store.sql.reports import traffic as read

        return await read(engine, *_span(since, until))

    rows = [
        (row.month, row.operator, row.inbound, row.outbound, row.outbound_percent, row.outbound_percent > threshold)
        for row in with_database(config, work)
    ]
    names = ("month", "operator", "inbound", "outbound", "outbound_percent", "flagged")
    _show(names, rows, as_json, "no call was let through")


@report.command("findings", epilog=examples("callgate report findings --since 2026-01-01"))
def findings(since: Since = None, until: Until = None, as_json: AsJson = False, config: Config = None) -> None:
    """Numbers seen on trunks of other operators (A17), and trunks that call suspiciously (A37, A42)."""

    async def work(_settings: Settings, engine: AsyncEngine) -> tuple[list[ForeignNumber], list[BehaviourFinding]]:
        from gateway.store.sql.reports import behaviour, foreign_numbers

        span = _span(since, until)
        return await foreign_numbers(engine, *span), await behaviour(engine, *span)

    foreign, suspicious = with_database(config, work)
    rows: list[tuple[Any, ...]] = [
        (row.trunk, row.trunk_operator, f"number {row.number} of {row.owner or 'nobody'}", 0, row.calls, row.last)
        for row in foreign
    ]
    rows += [(row.trunk, row.operator, "behaviour", row.marked, row.refused, row.last) for row in suspicious]
    _show(("trunk", "operator", "finding", "marked", "refused", "last"), rows, as_json, "nothing found")


@report.command("trace", epilog=examples("callgate report trace +8613800138000 2026-05-01T09:30"))
def trace(
    callee: Annotated[str, typer.Argument(metavar="NUMBER", help="Who was called.")],
    minute: Annotated[datetime, typer.Argument(help="The minute (UTC), e.g. 2026-05-01T09:30:00.",
                                               formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])],
    config: Config = None,
) -> None:  # fmt: skip
    """Who called this number in that minute: operator, tenant, trunk, source, consent, decision and the leg it left by,
    as JSON (A35)."""

    async def work(settings: Settings, engine: AsyncEngine) -> list[dict[str, Any]]:
        from gateway.control.tracing import trace as read

        number = await canonical(engine, callee, "number")
        return await read(engine, keys_of(settings), number, minute.replace(tzinfo=UTC))

    print_json(with_database(config, work))


def _show(names: tuple[str, ...], rows: list[tuple[Any, ...]], as_json: bool, nothing: str) -> None:
    if as_json:
        print_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in names:
        table.add_column(name.replace("_", " "), no_wrap=True)
    for row in rows:
        table.add_row(*(escape(_word(value)) for value in row))
    print_table(table, *([] if rows else [nothing]))


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)
