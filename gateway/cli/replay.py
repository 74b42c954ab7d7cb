"""`callgate replay`: recorded decisions judged again, with the packs in force or another one."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.common import AsJson, Config, examples, print_json, print_table, utc, with_database
from gateway.cli.progress import replay_bar
from gateway.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from gateway.control.replay_part import Part


def register(app: typer.Typer) -> None:
    """Add this family."""
    app.command(
        "replay",
        epilog=examples(
            "callgate replay --pack new-pack.toml --from 2024-05-01    (what would it have refused?)",
            "callgate replay --decision 9f86d081884c7d65",
        ),
    )(replay)


def replay(
    pack: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Rule pack to try; default: those in force.")
    ] = None,
    since: Annotated[datetime | None, typer.Option("--from", "--since", help="Not before (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option("--to", "--until", help="Before (UTC).")] = None,
    trunk: Annotated[str, typer.Option(metavar="ID", help="Only calls that came by this trunk.")] = "",
    decision: Annotated[str, typer.Option(metavar="ID", help="Decision id, or its beginning.")] = "",
    limit: Annotated[int, typer.Option(min=0, max=100_000, help="Tell so many one by one; totals count all.")] = 1000,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Judge recorded decisions again on the facts they were made on; prints those that would differ, and how many.

    With --pack, as if that pack were in force beside the others, in the place of its id: only calls that it would bind
    are judged. Nothing is changed and nobody is called: this is how a pack is tried before it is imported.
    """

    async def work(settings: Settings, engine: AsyncEngine) -> tuple[str, Part]:
        from gateway.control.importer.problems import NO_PACK
        from gateway.control.pack_text import whole_pack
        from gateway.control.replay_part import Task
        from gateway.control.replaying import in_force, replay_all
        from gateway.gate.pack_read import load_pack
        from gateway.gate.pack_set import load_stored
        from gateway.store.ports import StoreError

        texts = await in_force(engine)
        if pack is None and not texts:
            raise StoreError(NO_PACK)
        words = "" if pack is None else whole_pack(pack.read_text(encoding="utf-8"))
        judged_by = load_stored(texts, "the registry").labels if pack is None else load_pack(words, str(pack)).label
        task = Task(settings.database.url, texts, words, str(pack or ""), trunk, decision.lower(), limit)
        with replay_bar() as bar:
            return judged_by, await replay_all(engine, task, utc(since), utc(until), bar)

    label, found = with_database(config, work)
    if as_json:
        print_json(_as_json(label, found))
    else:
        _print(label, found)


def _as_json(label: str, found: Part) -> dict[str, object]:
    totals = [{"was": was, "now": now, "decisions": count} for was, now, count in _totals(found)]
    return {
        "pack": label, "judged": found.judged, "differ": found.differing, "other_packs": found.others,
        "differing": found.listed, "totals": totals, "untold": found.untold,
    }  # fmt: skip


def _totals(found: Part) -> list[tuple[str, str, int]]:
    """The most frequent first."""
    rows = [(was, now, count) for was, counts in found.changed.items() for now, count in counts.items()]
    return sorted(rows, key=lambda row: (-row[2], row))


def _print(label: str, found: Part) -> None:
    for one in found.listed:
        reason = f" ({one.reason})" if one.reason else ""
        typer.echo(f"{one.id}: was {one.was}, now {one.now}{reason}")
    if found.differing > len(found.listed):
        typer.echo(f"… and {found.differing - len(found.listed):,} more (--limit)")
    if found.changed:
        from rich.table import Table

        table = Table(box=None, header_style="bold", pad_edge=False)
        for name in ("was", "now"):
            table.add_column(name, no_wrap=True)
        table.add_column("decisions", justify="right")
        for was, now, count in _totals(found):
            table.add_row(was, now, f"{count:,}")
        print_table(table)
    untold = sum(found.untold.values())
    typer.echo(f"{found.judged:,} decisions judged again with {label}: {found.differing:,} differ, "
               f"{untold:,} cannot be judged again")  # fmt: skip
    for why, count in sorted(found.untold.items()):
        typer.echo(f"  {count:,}: {why}")
    if found.others:
        typer.echo(f"  {found.others:,} more are other packs'")
