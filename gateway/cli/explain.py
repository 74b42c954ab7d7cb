"""`callgate explain` and `callgate demo`: why a call would pass or not, and the whole gate shown at work."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.common import (
    AsJson,
    Config,
    examples,
    fail,
    friendly,
    keys_of,
    load,
    print_json,
    print_table,
    typed,
    with_database,
)
from gateway.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from gateway.gate.explain import Explanation
    from gateway.gate.pack import Pack

EXIT_REFUSE = 3


def register(app: typer.Typer) -> None:
    """Add this family."""
    app.command(
        "explain",
        epilog=examples(
            "callgate explain --trunk cc-alpha --from +8657112340001 --to +8613800138000",
            "callgate explain --trunk carrier --from +8613900139000 --to +8657112340001 --json",
            "callgate explain --decision 9f86d081884c7d65 --pack new-pack.toml    (what would it say of that call?)",
        ),
    )(explain)
    app.command("demo")(demo)


def explain(
    trunk: Annotated[str, typer.Option(metavar="ID", help="Trunk the call comes from.")] = "",
    caller: Annotated[str, typer.Option("--from", metavar="NUMBER", help="Caller as presented.")] = "",
    callee: Annotated[str, typer.Option("--to", metavar="NUMBER", help="Callee as dialled.")] = "",
    decision: Annotated[
        str, typer.Option(metavar="ID", help="Instead: a recorded call, by its decision id or the beginning of it.")
    ] = "",
    pack: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Rule pack to ask; default: the one in force on the trunk.")
    ] = None,
    at: Annotated[datetime | None, typer.Option(help="Had it come then (UTC); default: now, or when it came.")] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Say whether a call would pass, and every rule's word on it. Exit code 0: it would; 3: it would not.

    The code is that of live calls, registry, pack and consents are those in force; nothing is recorded. Every rule
    is asked, also those behind the one that decides: rules on the registry decide before those on the callee's
    consent and refusals, in each group the first that refuses. A recorded call is judged on the facts it was decided
    on. A rule that enforces on a share of the trunk's calls is shown with it; a made-up call falls into every share.
    """
    if bool(decision) == bool(trunk and caller and callee) or (decision and (trunk or caller or callee)):
        raise typer.BadParameter("give --trunk, --from and --to, or --decision")
    settings = load(config)
    with friendly():
        tried = _read_pack(pack)
        when = None if at is None else at.replace(tzinfo=at.tzinfo or UTC).timestamp()
    if decision:
        found = with_database(config, lambda _, engine: _explain_recorded(engine, decision.lower(), tried, when))
    else:
        with friendly():
            found = asyncio.run(_explain(_located(settings), trunk, caller, callee, when, tried))
    if as_json:
        print_json(found)
    else:
        _print(found)
    raise typer.Exit(0 if found.allowed else EXIT_REFUSE)


def demo(config: Config = None) -> None:
    """Place one call per kind against the running gateway and print what came of each.

    It plays telephones on the example's addresses (127.0.0.2 and 127.0.0.9, port 5060), so it is for the example
    deployment. Exit code 0 when every call was answered as it should be."""
    from gateway.cli.demo import run_demo

    settings = load(config)
    with friendly():
        raise typer.Exit(run_demo(settings, typed("calls --decision ID", config)))


def _located(settings: Settings) -> Settings:
    """With the URL of the embedded Redis, if it is one."""
    from gateway.cli.common import with_urls
    from gateway.store.embedded.servers import read_endpoints

    if settings.redis.url:
        return settings
    found = read_endpoints(settings.state_dir)
    if found is None or not found.redis_url:
        fail(
            f"no gateway runs on {settings.state_dir}, and redis.url is empty; "
            "fix: start it with `callgate run`, or set redis.url"
        )
    return with_urls(settings, settings.database.url, found.redis_url)


def _read_pack(file: Path | None) -> Pack | None:
    from gateway.control.pack_text import whole_pack
    from gateway.gate.pack_read import load_pack

    return None if file is None else load_pack(whole_pack(file.read_text(encoding="utf-8")), str(file))


async def _explain(
    settings: Settings, trunk: str, caller: str, callee: str, at: float | None, pack: Pack | None
) -> Explanation:
    from gateway.control.explaining import Explainer

    explainer = Explainer(settings, keys_of(settings))
    try:
        found = await explainer.explain(trunk, caller, callee, at, pack)
        if explainer.key_reason:
            typer.echo(f"callgate: {explainer.key_reason}", err=True)
        return found
    finally:
        explainer.close()


async def _explain_recorded(engine: AsyncEngine, decision: str, pack: Pack | None, at: float | None) -> Explanation:
    from gateway.control.replaying import pack_of
    from gateway.gate.engine import Engine
    from gateway.gate.explain import ExplainError, explain_recorded
    from gateway.store.sql.calls import find_calls

    rows = await find_calls(engine, decision=decision, limit=2)
    if len(rows) != 1:
        raise ExplainError(f"decision: {decision!r}: {'several calls' if rows else 'no call'}: give the whole id")
    record = rows[0].decision
    return explain_recorded(Engine(pack or await pack_of(engine, record)), record, at)


MEANINGS = {
    "ok": "the rule has nothing against the call",
    "refuse": "the rule refuses the call",
    "would refuse": "the rule is in shadow mode, for this call at least: it is counted, and refuses nothing",
    "not bound": "the rule looks at calls in the other direction only",
    "off": "the pack leaves the rule out",
    "waits for the store": "consent and refusals could not be read, so the rule was not asked",
}
"""What the words of the table mean (`gate.engine.WORD_*`)."""


def _print(found: Explanation) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    named = any(row[4] for row in found.words)
    for name in ("rule", "mode", "word", *(["clauses"] if named else []), "reason"):
        table.add_column(name, no_wrap=True)
    colours = {"ok": "green", "refuse": "red", "would refuse": "yellow"}
    for rule, mode, word, reason, clauses in found.words:
        colour = colours.get(word, "dim")
        table.add_row(rule, mode, f"[{colour}]{word}[/]", *([", ".join(clauses)] if named else []), escape(reason))
    route = f" by {found.route}" if found.allowed and found.route else ""
    reason = f" ({escape(found.reason)})" if found.reason else ""
    answer = f", answer {found.status} {found.phrase}" if found.status else ""
    word = "[green]allow[/green]" if found.allowed else "[red]refuse[/red]"
    used = {row[2] for row in found.words}
    legend = [f"[dim]{name}: {meaning}[/]" for name, meaning in MEANINGS.items() if name in used]
    if found.rule == "emergency":
        legend.append("[dim]an emergency call passes before every rule; the words are for other calls[/]")
    known = f", trunk known by {found.identified}" if found.identified != "source" else ""
    last = f"{word}: {found.rule}{reason}{answer}{route}; pack {found.pack}, registry {found.registry}{known}"
    print_table(table, *legend, last)
