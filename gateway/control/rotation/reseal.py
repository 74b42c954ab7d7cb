"""Digest secrets of trunks, sealed anew with the newest key: one change of the registry."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.control.importer.commit import Change, put_in_force
from gateway.gate.seal import Sealer, sealed_with
from gateway.keys import Keys
from gateway.registry.model import Trunk
from gateway.store.sql import registry as sql


async def reseal_secrets(connection: AsyncConnection, keys: Keys, principal: str) -> int:
    """How many were sealed with an older key. Raises SealError."""
    await sql.lock_registry(connection)
    stored = await sql.load_snapshot(connection)
    sealer = Sealer(keys.seal_id, keys.seal, keys.older_seals)
    count = sum(len(secrets_with_other(trunk, keys.seal_id)) for trunk in stored.trunks)
    if count:
        trunks = tuple(_resealed(trunk, sealer, keys.seal_id) for trunk in stored.trunks)
        change = Change(principal, "keys.reseal", "digest secrets", detail={"secrets": count})
        await put_in_force(connection, stored, replace(stored, trunks=trunks), change)
    return count


def secrets_with_other(trunk: Trunk, seal: int) -> list[int]:
    """Ids of the keys of a trunk's secrets that are sealed with another one."""
    found = [sealed_with(text) for account in trunk.digest for _, text in account.secrets or ()]
    return [one for one in found if one != seal]


def _resealed(trunk: Trunk, sealer: Sealer, seal: int) -> Trunk:
    if not secrets_with_other(trunk, seal):
        return trunk
    return replace(
        trunk,
        digest=tuple(
            replace(one, secrets=tuple((name, sealer.seal(sealer.open(text))) for name, text in one.secrets or ()))
            for one in trunk.digest
        ),
    )
