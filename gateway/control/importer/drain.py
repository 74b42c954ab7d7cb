"""Takes a next hop out of use by hand, or puts it back: a registry change like any other, with audit, on every node."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.importer.commit import Change, put_in_force
from gateway.registry.model import Trunk
from gateway.store.sql import registry as sql
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.records import next_hop, next_hop_text


class NoSuchPeer(ValueError):
    """No trunk has such a next hop; the text names those there are."""


async def drain_peer(engine: AsyncEngine, name: str, trunk: str, drained: bool, principal: str) -> list[str]:
    """Drain, or put back, the next hop `name` (as in the registry file) of one trunk, or of all (`trunk` empty).
    Returns the ids of the trunks in which that changed something. Raises NoSuchPeer, Unavailable."""
    wanted = next_hop(name)
    with mapped_errors():
        async with engine.begin() as connection:
            await sql.lock_registry(connection)
            stored = await sql.load_snapshot(connection)
            meant = [row for row in stored.trunks if not trunk or row.id == trunk]
            place = wanted.place if wanted is not None else None
            if not any(hop.place == place for row in meant for hop in row.next_hops):
                raise NoSuchPeer(_unknown(name, trunk, meant))
            changed: list[Trunk] = []
            for row in meant:
                hops = tuple(replace(hop, drained=drained) if hop.place == place else hop for hop in row.next_hops)
                if hops != row.next_hops:
                    changed.append(replace(row, next_hops=hops))
            if changed:
                rows = {row.id: row for row in (*stored.trunks, *changed)}
                change = Change(principal, "peer.drain" if drained else "peer.undrain", name)
                await put_in_force(connection, stored, replace(stored, trunks=tuple(rows.values())), change)
    return [row.id for row in changed]


def _unknown(name: str, trunk: str, meant: list[Trunk]) -> str:
    if not meant:
        return f"trunk {trunk!r}: there is none of this id"
    there = sorted({next_hop_text(replace(hop, drained=False)) for row in meant for hop in row.next_hops})
    return f"peer {name!r}: no next hop of {trunk or 'any trunk'}; there are {', '.join(there[:8])}"
