"""Lists of others and their versions: `feed …`, `list …`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.common import (
    AsJson,
    Config,
    PrincipalName,
    examples,
    keys_of,
    principal_of,
    print_json,
    print_table,
    utc,
    with_database,
)
from gateway.cli.imports import DryRun, File, report
from gateway.cli.progress import import_bar
from gateway.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from gateway.control.importer.problems import ImportReport
    from gateway.control.importer.rollback import Rollback
    from gateway.store.sql.feeds import FeedState
    from gateway.store.sql.versions import ListVersion

feed = typer.Typer(help="Decline feeds: who declined, as others say.", no_args_is_help=True)
lists = typer.Typer(help="Versions of consents, refusals and feeds; the way back.", no_args_is_help=True)

FeedId = Annotated[str, typer.Argument(metavar="FEED", help="Id of the feed, such as national.")]


def register(app: typer.Typer) -> None:
    """Add these families."""
    app.add_typer(feed, name="feed")
    app.add_typer(lists, name="list")


@feed.command("define", epilog=examples("callgate feed define national --max-age-hours 48 --max-shrink-percent 20"))
def define(
    name: FeedId,
    max_age_hours: Annotated[float, typer.Option(min=0.1, help="Older than this it is stale.")] = 48.0,
    max_shrink_percent: Annotated[
        float, typer.Option(min=0, max=100, help="Share of its rows that a full version may drop.")
    ] = 20.0,
    principal: PrincipalName = "",
    config: Config = None,
) -> None:
    """Make a feed known, or change its limits.

    While it is stale, `callgate_feed_stale` is 1, and the rule callee-refused does what its on_unavailable says.
    """

    async def work(_settings: Settings, engine: AsyncEngine) -> FeedState:
        from gateway.control.importer.feeds import define_feed

        age, share = round(max_age_hours * 3_600), max_shrink_percent / 100
        return await define_feed(engine, name, principal_of(principal), age, share)

    state = with_database(config, work)
    age = timedelta(seconds=state.max_age_s)
    typer.echo(f"feed {state.id}: stale after {age}, may shrink by {state.max_shrink:.0%}")


@feed.command(
    "import",
    epilog=examples(
        "callgate feed import national full-12.csv --version 12 --full",
        "callgate feed import national delta-13.jsonl --version 13 --delta",
    ),
)
def import_(
    name: FeedId,
    file: File,
    version: Annotated[int, typer.Option(min=1, help="Number of this version; a delta's is the next one.")],
    full: Annotated[bool, typer.Option("--full/--delta", help="Replaces all the feed said, or changes it.")],
    issued_at: Annotated[datetime | None, typer.Option(help="When it was issued (UTC); default now.")] = None,
    allow_shrink: Annotated[bool, typer.Option("--allow-shrink", help="It is meant to drop that many rows.")] = False,
    dry_run: DryRun = False,
    principal: PrincipalName = "",
    config: Config = None,
) -> None:
    """Take over a version of a feed: a file as for `import refusals`. Other lists stay as they are."""

    async def work(settings: Settings, engine: AsyncEngine) -> ImportReport:
        from gateway.control.importer.feeds import import_feed

        with import_bar() as bar:
            return await import_feed(
                engine, file, keys_of(settings), principal_of(principal), name, version, full=full,
                issued_at=utc(issued_at), allow_shrink=allow_shrink, dry_run=dry_run, progress=bar,
            )  # fmt: skip

    report(with_database(config, work))


@feed.command("list")
def feeds(as_json: AsJson = False, config: Config = None) -> None:
    """Every feed: version in force, its age, rows, limits."""

    async def work(_settings: Settings, engine: AsyncEngine) -> list[FeedState]:
        from gateway.control.importer.feeds import list_feeds

        return await list_feeds(engine)

    found = with_database(config, work)
    if as_json:
        print_json(found)
        return
    from rich.table import Table

    table = Table("feed", "version", "issued", "rows", "stale after", "may shrink by")
    for one in found:
        issued = one.issued_at.isoformat(timespec="seconds") if one.issued_at else "never"
        age = str(timedelta(seconds=one.max_age_s))
        table.add_row(one.id, str(one.version), issued, f"{one.rows:,}", age, f"{one.max_shrink:.0%}")
    print_table(table)


@lists.command("versions", epilog=examples("callgate list versions", "callgate list versions consents:alpha"))
def versions(
    name: Annotated[
        str, typer.Argument(metavar="LIST", help="consents:OPERATOR, refusals, home:ID or feed:ID; default all.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 50,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """What bulk imports made of each list, newest first, and whether it can be undone."""

    async def work(_settings: Settings, engine: AsyncEngine) -> list[ListVersion]:
        from gateway.control.importer.rollback import list_versions

        return await list_versions(engine, name, limit)

    found = with_database(config, work)
    if as_json:
        print_json(found)
        return
    from rich.table import Table

    table = Table("list", "version", "kind", "at", "file", "by", "added", "changed", "state")
    for one in found:
        state = one.state if one.undo or one.state != "in force" else "in force, for good"
        table.add_row(
            one.list, str(one.version), one.kind, one.at.isoformat(timespec="seconds"), one.name, one.principal,
            f"{one.added:,}", f"{one.changed:,}", state,
        )  # fmt: skip
    print_table(table)


@lists.command(
    "rollback", epilog=examples("callgate list rollback consents:alpha 3", "callgate list rollback feed:national 12")
)
def rollback(
    name: Annotated[str, typer.Argument(metavar="LIST", help="consents:OPERATOR, refusals, home:ID or feed:ID.")],
    version: Annotated[int, typer.Argument(min=0, help="Version to go back to; 0: before the first.")],
    principal: PrincipalName = "",
    config: Config = None,
) -> None:
    """Bring a list back to an earlier version. What was said one by one since then stays as it is."""

    async def work(_settings: Settings, engine: AsyncEngine) -> Rollback:
        from gateway.control.importer.rollback import roll_back

        return await roll_back(engine, name, version, principal_of(principal))

    done = with_database(config, work)
    undone = ", ".join(str(number) for number in done.undone)
    typer.echo(f"{done.list}: back at version {done.version}; undone: {undone}; {done.rows:,} rows touched")
