"""Commands that run the gateway, whole or in parts, and the check of its configuration."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.common import Config, fail, load, print_json, typed, with_urls
from gateway.settings import Settings


def register(app: typer.Typer) -> None:
    """Add this family."""
    app.command("run")(run)
    app.command("worker")(worker)
    app.command("ship")(ship)
    app.command("control")(control)
    app.command("check-config")(check_config)


def run(config: Config = None) -> None:
    """Run the whole gateway: workers, shipper, control, and private servers where no URL is configured."""
    from gateway.app import run_gateway

    raise typer.Exit(run_gateway(load(config), lambda words: typed(words, config)))


def worker(
    config: Config = None,
    index: Annotated[int, typer.Option(min=0, max=63, help="Number of this worker on its node.")] = 0,
) -> None:
    """Run one SIP worker alone."""
    settings = config_of(load(config))
    if not settings.keys_file.exists():
        fail(
            f"keys.file = {str(settings.keys_file)!r}: no such file; fix: copy it from a node that has it "
            "(the first `callgate run` or `callgate control` makes it)"
        )
    from gateway.first_certificate import ensure_certificate

    try:
        ensure_certificate(settings)
    except OSError as error:
        fail(f"node.state_dir = {settings.node.state_dir!r}: {error}; fix: make it a directory this user can write to")
    _part("worker", settings, index)


def ship(config: Config = None) -> None:
    """Run the shipper alone: this node's evidence journals into PostgreSQL."""
    _part("shipper", config_of(load(config)))


def control(config: Config = None) -> None:
    """Run the control process alone: HTTP, metrics, projection into Redis."""
    _part("control", config_of(load(config)))


def check_config(
    config: Config = None,
    show: Annotated[
        bool, typer.Option("--show", help="Print every setting in force, as JSON, passwords masked.")
    ] = False,
) -> None:
    """Check the configuration and, where it has an [example], that directory's registry.toml, consents.csv,
    refusals.csv and rule pack. Every problem is told in one round; nothing is started or changed.

    Relative paths are read from the directory the command is started in.
    """
    from gateway.settings_load import find_config
    from gateway.settings_show import shown

    settings = load(config)
    if show:
        print_json(shown(settings))
        return
    good, problems = [f"{find_config(config)}: good"], list[str]()
    if settings.example.directory:
        from gateway.control.importer.check import check_directory

        more, problems = check_directory(Path(settings.example.directory))
        good += more
    for line in good:
        typer.echo(line)
    if problems:
        fail("\n  ".join(("the example cannot be loaded", *problems)))


def config_of(settings: Settings) -> Settings:
    """Settings of a part that runs alone: its stores must be configured, or run already on this state
    directory."""
    from gateway.store.embedded.servers import read_endpoints

    found = read_endpoints(settings.state_dir)
    if found is None and not (settings.redis.url and settings.database.url):
        fail(
            "redis.url and database.url are empty, and no `callgate run` with embedded servers is on "
            f"{settings.state_dir}; fix: set both URLs, or start everything with `callgate run`"
        )
    if found is None:
        return settings
    return with_urls(settings, settings.database.url or found.database_url, settings.redis.url or found.redis_url)


def _part(part: str, settings: Settings, index: int = 0) -> None:
    from gateway.child import run_part
    from gateway.settings import make_run_dir
    from gateway.telemetry.logs import configure_logs

    make_run_dir(settings)
    configure_logs(settings.log, f"{part}-{index}" if part == "worker" else part)
    with suppress(KeyboardInterrupt):
        run_part(part, settings, index)
