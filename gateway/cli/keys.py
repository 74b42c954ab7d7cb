"""`callgate keys`: rotation of the keys that subscriber numbers are stored with."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
    with_database,
)
from gateway.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from gateway.control.rotation.retire import Status
    from gateway.control.rotation.run import Rotated, Step, Tell

keys = typer.Typer(help="Keys of subscriber numbers: what is in use, rotate, retire.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this family."""
    app.add_typer(keys, name="keys")


@keys.command(
    "rotate",
    epilog=examples("callgate keys rotate --dry-run", "callgate keys rotate", "callgate keys rotate --give-up"),
)
def rotate(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")] = False,
    give_up: Annotated[
        bool, typer.Option("--give-up", help="Drop what an unfinished rotation has copied; nothing was in effect.")
    ] = False,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Do not wait for this worker or node; more than once."),
    ] = None,
    principal: PrincipalName = "",
    config: Config = None,
) -> None:
    """Store every subscriber's number under a new pair of keys: one to hash it with, one to seal it with.

    A new pair is put into the key file, unless it holds one that is not in use yet. Where nodes have copies of the
    file, the command stops until every worker holds the new keys: copy the file, and give the command again. Calls,
    grants, revokes and imports go on meanwhile. Killed, it goes on where it stopped when it is given again; nothing is
    in effect before all of it is. The old keys stay for the evidence, which is searched under every key.
    """
    if give_up:
        with_database(config, lambda settings, engine: _give_up(settings, engine, principal_of(principal)))
        typer.echo("rotation given up: the key before is in force as it was")
        return

    async def work(settings: Settings, engine: AsyncEngine) -> Rotated:
        from gateway.control.rotation.run import Rotator

        with _bar() as tell:
            rotator = Rotator(
                engine, settings.redis.url, settings.keys_file, keys_of(settings), principal_of(principal), tell,
                without or (),
            )  # fmt: skip
            return await rotator.rotate(dry_run=dry_run)

    _said(with_database(config, work))


async def _give_up(settings: Settings, engine: AsyncEngine, principal: str) -> None:
    from gateway.control.rotation.run import Rotator

    rotator = Rotator(
        engine, settings.redis.url, settings.keys_file, keys_of(settings), principal, lambda _step: None
    )
    await rotator.give_up()


@keys.command("status", epilog=examples("callgate keys status", "callgate keys status --json"))
def status(as_json: AsJson = False, config: Config = None) -> None:
    """Keys by ring, what is in use, how far a rotation is, and which worker holds what. No key is shown."""

    async def work(settings: Settings, engine: AsyncEngine) -> Status:
        from gateway.control.rotation.retire import status as ask

        return await ask(engine, settings.redis.url, keys_of(settings))

    found = with_database(config, work)
    if as_json:
        print_json(_as_json(found))
        return
    from rich.table import Table

    table = Table("ring", "id", "check", "state", "since", "until")
    for key in found.keys:
        times = [f"{at:%Y-%m-%d %H:%M}" if at else "" for at in (key.since, key.until)]
        state = "in use" if key.in_use else "kept for what is older" if key.until else "not in use"
        table.add_row(key.ring, str(key.id), key.check, state, *times)
    lines = []
    if found.rotation is not None:
        one = found.rotation
        done = f"{one.rows:,} of about {one.total:,} rows" if one.state != "switched" else "in force, being followed"
        lines.append(f"rotation since {one.started_at:%Y-%m-%d %H:%M} by {one.principal}: {one.state}, {done}")
    if found.nodes is None:
        lines.append("no gateway runs: nobody can say which keys workers hold")
    else:
        lines += [
            f"{name}: {'lacks the newest key' if name in found.lacking else 'holds the newest keys'}"
            for name in sorted(found.nodes.workers)
        ]
        lines += [f"{name}: not heard of for {age:.0f} s" for name, age in sorted(found.nodes.silent.items())]
    print_table(table, *lines)


@keys.command("retire", epilog=examples("callgate keys retire 1", "callgate keys retire 1 --ring seal"))
def retire(
    number: Annotated[int, typer.Argument(metavar="ID", min=1, max=255, help="Id of the key (callgate keys status).")],
    ring: Annotated[str, typer.Option(help="pseudonym or seal; default both.")] = "",
    principal: PrincipalName = "",
    config: Config = None,
) -> None:
    """Take a key out of the key file for good, if nothing needs it any more; else say what does.

    Evidence keeps the hashes it was written with. While there is any of a key's time, calls of then are found by callee
    with that key alone.
    """
    if ring not in ("", "pseudonym", "seal"):
        raise typer.BadParameter(f"{ring!r}: write pseudonym or seal", param_hint="--ring")

    async def work(settings: Settings, engine: AsyncEngine) -> str:
        from gateway.control.rotation.retire import retire as end

        rings = (ring,) if ring else ("pseudonym", "seal")
        return await end(engine, settings.keys_file, keys_of(settings), number, rings, principal_of(principal))

    typer.echo(f"{with_database(config, work)}: out of the key file; take it out of its copies too, and of backups")


@keys.command("new", epilog=examples("callgate keys new"))
def new() -> None:
    """Print a fresh key, for key files that other programs make (CALLGATE_KEYS). Whoever sees it has it."""
    import secrets

    from gateway.keys import KEY_BYTES

    typer.echo(secrets.token_hex(KEY_BYTES))


def _said(done: Rotated) -> None:
    workers = f"{len(done.workers)} workers" if len(done.workers) != 1 else "1 worker"
    if done.dry_run:
        new = "a new pair of keys" if done.adds_keys else "the newest keys of the file"
        typer.echo(f"would store {done.rows:,} rows under {new}: pseudonym {done.before} to {done.after}, "
                   f"seal {done.seal_before} to {done.seal_after}; {workers} heard of")  # fmt: skip
        for name in done.silent:
            typer.echo(f"{name}: not heard of lately: start it, or say --without {name}")
        return
    if not done.workers:
        typer.echo("no worker was heard of: none may start without this key file")
    typer.echo(
        f"{done.rows:,} rows stored under new keys: pseudonym {done.before} to {done.after}, "
        f"seal {done.seal_before} to {done.seal_after}; {workers} heard of. Back up the key file now. The old keys "
        "stay for the evidence; callgate keys retire says when they may go."
    )


def _as_json(found: Status) -> dict[str, object]:
    nodes, begun = found.nodes, found.rotation
    return {
        "keys": found.keys,
        "rotation": begun
        and {"state": begun.state, "rows": begun.rows, "total": begun.total, "since": begun.started_at},
        "workers": nodes and {name: name not in found.lacking for name in nodes.workers},
        "silent": nodes and nodes.silent,
    }


@contextmanager
def _bar() -> Iterator[Tell]:
    """What the steps are told to: a bar on a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield lambda _step: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn()
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("beginning", total=None)

        def tell(step: Step) -> None:
            bar.update(task, description=step.phase, completed=step.done, total=step.total or None)

        yield tell
