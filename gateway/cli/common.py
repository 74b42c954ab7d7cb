"""What every command shares: the configuration, the stores, and how errors end a command.

Exit codes: 0 done, 1 refused or failed (one line on stderr says why), 2 wrong usage, 3 refused by the
rules (explain).
"""

from __future__ import annotations

import asyncio
import dataclasses
import getpass
import os
import shlex
import shutil
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer

from gateway.settings import Settings, make_run_dir

if TYPE_CHECKING:
    from rich.table import Table
    from sqlalchemy.ext.asyncio import AsyncEngine

    from gateway.keys import Keys

TABLE_WIDTH = 150
"""Columns of a table's output at least: ids and numbers are never cut, a narrow terminal folds lines."""

T = TypeVar("T")

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="Configuration file; else CALLGATE_CONFIG, ./callgate.toml, ./config/example/callgate.toml. "
        "Paths in it are relative to the directory the command is started in.",
    ),
]
PrincipalName = Annotated[
    str,
    typer.Option(
        "--principal",
        envvar="CALLGATE_PRINCIPAL",
        metavar="NAME",
        help="Who does this, for the audit trail; default: your system user.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def fail(text: str) -> NoReturn:
    """End the command with exit code 1 and a message on stderr."""
    typer.echo(f"callgate: {text}", err=True)
    raise typer.Exit(1)


def load(config: Path | None) -> Settings:
    """The settings, or the end of the command with every problem named."""
    from gateway.settings_load import SettingsError, load_settings

    try:
        return load_settings(config)
    except SettingsError as error:
        fail(str(error))


def principal_of(given: str) -> str:
    """The name for the audit trail."""
    if given:
        return given
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a user id without a name
        return f"cli:uid-{os.getuid()}"


@contextmanager
def friendly() -> Iterator[None]:
    """Turn the errors a person can do something about into one message and exit code 1."""
    from gateway.keys import KeysError
    from gateway.store.embedded.process import EmbeddedError
    from gateway.store.ports import StoreError

    try:
        yield
    except (StoreError, EmbeddedError, KeysError, OSError, ValueError) as error:
        # ValueError: an input that cannot be used (PackError and the like name file, line, value and fix).
        fail(str(error) or repr(error))  # TimeoutError and the like have no text of their own


def utc(time: datetime | None) -> datetime | None:
    """A time given on the command line: UTC where it names no zone."""
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time


def print_json(value: object) -> None:
    """Print a value (dataclasses too) as indented JSON."""
    import msgspec

    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def examples(*lines: str) -> str:
    """The end of a command's help: commands as they can be typed. (`\\b`: click keeps the lines apart.)"""
    return "\n".join(("\b", "Examples:", *(f"  {line}" for line in lines)))


def typed(words: str, config: Path | None = None) -> str:
    """A command of ours as it can be typed in this directory, the way this program was called itself."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        program = [sys.executable, "-m", "gateway.cli"]
    elif shutil.which(called.name) == str(called.absolute()):
        program = [called.name]
    else:
        program = [os.path.relpath(called) if called.is_relative_to(Path.cwd()) else str(called)]
    option = f" --config {shlex.quote(str(config))}" if config and not words.startswith("-") else ""
    return f"{' '.join(map(shlex.quote, program))} {words}{option}"


@contextmanager
def located(settings: Settings) -> Iterator[Settings]:
    """The settings with the URLs of the stores filled in.

    Embedded servers: those of the gateway that runs on this state directory; where none runs, PostgreSQL
    alone is started for as long as the command takes.
    """
    from gateway.store.embedded.servers import EmbeddedServers, read_endpoints

    if settings.database.url:
        yield settings
        return
    found = read_endpoints(settings.state_dir)
    if found is not None and found.database_url and _answers(found.database_url):
        yield with_urls(settings, found.database_url, settings.redis.url or found.redis_url)
        return
    servers = EmbeddedServers(settings.state_dir, redis=False)
    make_run_dir(settings)
    keys_of(settings)  # before a database is made
    url = servers.start().database_url
    try:
        yield with_urls(settings, url, settings.redis.url)
    finally:
        servers.stop()


def _answers(database_url: str) -> bool:
    """Whether a server is behind the URL's socket: a killed supervisor leaves the note of the URLs behind."""
    import socket
    from urllib.parse import parse_qs, urlsplit

    directory = parse_qs(urlsplit(database_url).query).get("host", [""])[0]
    if not directory.startswith("/"):
        return True
    with socket.socket(socket.AF_UNIX) as link:
        return link.connect_ex(f"{directory}/.s.PGSQL.5432") == 0


def with_urls(settings: Settings, database_url: str, redis_url: str) -> Settings:
    """The settings with both URLs."""
    return dataclasses.replace(
        settings,
        database=dataclasses.replace(settings.database, url=database_url),
        redis=dataclasses.replace(settings.redis, url=redis_url),
    )


def keys_of(settings: Settings) -> Keys:
    """The deployment's keys (made at the first start)."""
    from gateway.first_keys import ensure_keys

    return ensure_keys(settings)


def with_database(config: Path | None, work: Callable[[Settings, AsyncEngine], Awaitable[T]]) -> T:
    """Run `work` on the database and return what it returns; errors end the command."""
    settings = load(config)
    with friendly(), located(settings) as found:
        return asyncio.run(_on_engine(found, work))


async def _on_engine(settings: Settings, work: Callable[[Settings, AsyncEngine], Awaitable[T]]) -> T:
    from sqlalchemy import text

    from gateway.store.sql.engine import make_engine, mapped_errors

    engine = make_engine(settings.database.url, pool_size=2)
    try:
        with mapped_errors():
            async with engine.connect() as connection:
                made = await connection.execute(text("SELECT to_regclass('alembic_version')"))
                is_new = made.scalar_one() is None
        if is_new:  # a newer schema for an old database is the control process's business
            from gateway.store.sql.migrate import migrate

            await migrate(settings.database.url)
        return await work(settings, engine)
    finally:
        await engine.dispose()


def print_table(table: Table, *lines: str) -> None:
    """Print a table as wide as it needs, whatever the terminal, then lines of Rich markup."""
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False)
    console.width = max(console.width, TABLE_WIDTH)
    for item in (table, *lines):
        console.print(item)


async def canonical(engine: AsyncEngine, text: str, name: str) -> str:
    """A number of the command line (`+E.164` or a short code) in the one form numbers are compared in."""
    from gateway.registry.numbering import NumberingPlan
    from gateway.store.ports import StoreError
    from gateway.store.sql.engine import mapped_errors
    from gateway.store.sql.registry import load_plan

    with mapped_errors():
        async with engine.connect() as connection:
            snapshot = await load_plan(connection)
    plus = text.startswith("+")
    digits = text[plus:]
    if not (digits.isascii() and digits.isdigit()):
        raise StoreError(f"{name} = {text!r}: not a number; fix: write it as +8613800138000 or a short code")
    plan = NumberingPlan(snapshot.plan, snapshot.emergency, snapshot.country, snapshot.zone)
    number = plan.read(digits.encode("ascii"), plus, snapshot.country, "")
    if number is None:
        raise StoreError(f"{name} = {text!r}: no number of the numbering plan; fix: write it as +8613800138000")
    return number.canonical
