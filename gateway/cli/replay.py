"""`callgate replay`: recorded decisions judged again, with the pack in force or another one."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.common import AsJson, Config, examples, print_json, utc, with_database
from gateway.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine


def register(app: typer.Typer) -> None:
    """Add this family."""
    app.command(
        "replay",
        epilog=examples(
            "callgate replay --pack new-pack.toml --since 2024-05-01    (what would it have refused?)",
            "callgate replay --decision 9f86d081884c7d65",
        ),
    )(replay)


def replay(
    pack: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Rule pack to try; default: the one in force.")
    ] = None,
    decision: Annotated[str, typer.Option(metavar="ID", help="Decision id, or its beginning.")] = "",
    since: Annotated[datetime | None, typer.Option(help="Not before (UTC).")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many, newest first.")] = 1000,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Judge recorded decisions again on the facts they were made on; prints those that would differ.

    Nothing is changed and nobody is called: this is how a pack is tried before it is imported.
    """

    async def work(_settings: Settings, engine: AsyncEngine) -> tuple[str, int, list[dict[str, str]]]:
        import dataclasses

        from gateway.control.importer.problems import NO_PACK
        from gateway.gate.engine import Engine
        from gateway.gate.pack import load_pack
        from gateway.gate.replay import replay as judge_again
        from gateway.store.ports import StoreError
        from gateway.store.sql.calls import find_calls
        from gateway.store.sql.engine import mapped_errors
        from gateway.store.sql.registry import load_snapshot

        if pack is not None:
            text, name = pack.read_text(encoding="utf-8"), str(pack)
        else:
            with mapped_errors():
                async with engine.connect() as connection:
                    text, name = (await load_snapshot(connection)).pack, "pack in force"
            if not text:
                raise StoreError(NO_PACK)
        judge = Engine(load_pack(text, name, stored=pack is None))
        rows = await find_calls(engine, decision=decision or None, since=utc(since), limit=limit)
        again = [judge_again(judge, row.decision) for row in rows]
        told = [dataclasses.asdict(item) for item in again if item.differs or not item.now]
        return judge.pack.label, len(rows), told

    label, count, told = with_database(config, work)
    differing = [item for item in told if item["now"]]
    if as_json:
        print_json({"pack": label, "judged": count, "differing": differing})
        return
    for item in differing:
        reason = f" ({item['reason']})" if item["reason"] else ""
        typer.echo(f"{item['id']}: was {item['was']}, now {item['now']}{reason}")
    untold = len(told) - len(differing)
    typer.echo(f"{count} decisions judged again with {label}: {len(differing)} differ, {untold} cannot be judged again")
