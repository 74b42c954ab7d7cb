"""Passwords of digest accounts: H(A1) is computed here, sealed, and nothing else is kept of them."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.importer.commit import Change, put_in_force
from gateway.control.importer.problems import ImportRefused, Problem
from gateway.gate.seal import Sealer
from gateway.keys import Keys
from gateway.registry.model import Trunk
from gateway.sip.digest import secret_of
from gateway.store.sql import registry as sql
from gateway.store.sql.engine import mapped_errors

MAX_PASSWORD = 256
"""Characters."""


async def set_secret(
    engine: AsyncEngine, keys: Keys, trunk_id: str, user: str, password: str, principal: str
) -> tuple[int, tuple[str, ...]]:
    """Give an account of a digest trunk a password, for each algorithm its trunk may use. (registry version,
    algorithms). Raises ImportRefused, Unavailable."""
    if not password or len(password) > MAX_PASSWORD or not password.isprintable():
        raise _refused("password", "not shown", f"write one line of 1-{MAX_PASSWORD} printable characters")
    with mapped_errors():
        async with engine.begin() as connection:
            await sql.lock_registry(connection)
            stored = await sql.load_snapshot(connection)
            trunk = next((one for one in stored.trunks if one.id == trunk_id), None)
            if trunk is None:
                known = ", ".join(one.id for one in stored.trunks if one.digest) or "none has digest accounts"
                raise _refused("trunk", trunk_id, f"name one with digest accounts ({known})")
            algorithms = trunk.algorithms
            changed = _changed(trunk, user, password, Sealer(keys.seal_id, keys.seal))
            if changed is None:
                fix = f'import it first: digest = [{{user = "{user}"}}] at trunk {trunk_id} in a registry file'
                raise _refused("user", user, fix)
            trunks = tuple(changed if one.id == trunk_id else one for one in stored.trunks)
            said = {"user": user, "algorithms": list(algorithms)}
            change = Change(principal, "trunk.secret", trunk_id, detail=said)
            version, _ = await put_in_force(connection, stored, replace(stored, trunks=trunks), change)
    return version, algorithms


def _refused(field: str, value: str, fix: str) -> ImportRefused:
    return ImportRefused("trunk secret", [Problem(0, field, value, fix)])


def _changed(trunk: Trunk, user: str, password: str, sealer: Sealer) -> Trunk | None:
    """The trunk with the new secrets; None where it has no such account."""
    if not any(one.user == user for one in trunk.digest):
        return None

    def sealed(algorithm: str, realm: str) -> str:
        return sealer.seal(secret_of(algorithm.encode(), user.encode(), realm.encode(), password.encode()))

    return replace(
        trunk,
        digest=tuple(
            replace(one, secrets=tuple((name, sealed(name, one.realm)) for name in trunk.algorithms))
            if one.user == user
            else one
            for one in trunk.digest
        ),
    )
