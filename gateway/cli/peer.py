"""Commands about peers: which next hops there are and whether they get calls; draining one by hand."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.common import (
    AsJson,
    Config,
    PrincipalName,
    examples,
    fail,
    load,
    principal_of,
    print_json,
    with_database,
)
from gateway.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

peer = typer.Typer(help="Next hops of the trunks.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Next hop as in the registry: 127.0.0.9:5060 or a name.")]
TrunkId = Annotated[str, typer.Option("--trunk", metavar="ID", help="Only this trunk's; default: every trunk's.")]


def register(app: typer.Typer) -> None:
    """Add this family."""
    app.add_typer(peer, name="peer")


@peer.command("drain", epilog=examples("callgate peer drain 127.0.0.9:5060", "callgate peer drain gw.example"))
def drain(name: Name, trunk: TrunkId = "", principal: PrincipalName = "", config: Config = None) -> None:
    """Send no new call to a next hop, on any node, until it is undrained. Calls that are up go on; emergency calls
    still go there where there is no other."""
    _change(name, trunk, True, principal, config)


@peer.command("undrain", epilog=examples("callgate peer undrain 127.0.0.9:5060"))
def undrain(name: Name, trunk: TrunkId = "", principal: PrincipalName = "", config: Config = None) -> None:
    """Put a next hop back into use."""
    _change(name, trunk, False, principal, config)


@peer.command("list")
def show(as_json: AsJson = False, config: Config = None) -> None:
    """The next hops of this node's first worker: up, down or drained. Asks the running gateway."""
    from gateway.telemetry.stats_socket import fetch_stats

    snapshot = asyncio.run(fetch_stats(load(config).worker_socket(0), 2.0))
    if snapshot is None:
        fail("no worker answers: is the gateway running with this configuration?")
    drained = {tuple(labels) for labels, value in snapshot.samples.get("callgate_peer_drained", ()) if value}
    rows = [
        {"trunk": trunk, "peer": name, "state": "drained" if (trunk, name) in drained else "up" if up else "down"}
        for (trunk, name), up in snapshot.samples.get("callgate_peer_up", ())
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        typer.echo(f"{row['trunk']:<24} {row['peer']:<40} {row['state']}")


def _change(name: str, trunk: str, drained: bool, principal: str, config: Config) -> None:
    async def work(_settings: Settings, engine: AsyncEngine) -> list[str]:
        from gateway.control.importer.drain import drain_peer

        return await drain_peer(engine, name, trunk, drained, principal_of(principal))

    changed = with_database(config, work)
    word = "drained" if drained else "in use again"
    typer.echo(f"{name} {word} ({', '.join(changed)})" if changed else f"nothing to change: {name} is {word} already")
