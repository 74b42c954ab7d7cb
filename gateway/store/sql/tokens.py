"""API tokens: made once, shown once, kept as a hash."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.store.sql import audit
from gateway.store.sql.engine import mapped_errors

ROLES = ("viewer", "compliance", "engineer", "admin")
PREFIX = "cg_"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a token stands for."""

    name: str
    role: str


async def create_token(engine: AsyncEngine, name: str, role: str, principal: str) -> str:
    """A new token for `name` (unique) in `role` (ROLES); returns the token, which is not kept.

    Raises ValueError on an unknown role, Conflict where the name is taken, Unavailable.
    """
    if role not in ROLES:
        raise ValueError(f"role: {role!r}: write one of {', '.join(ROLES)}")
    token = PREFIX + secrets.token_urlsafe(32)
    with mapped_errors():
        async with engine.begin() as connection:
            await connection.execute(
                text("INSERT INTO tokens (name, sha256, role, principal) VALUES (:name, :sha256, :role, :principal)"),
                {"name": name, "sha256": _digest(token), "role": role, "principal": principal},
            )
            await audit.record(connection, principal, "token.create", name, {"role": role})
    return token


async def revoke_token(engine: AsyncEngine, name: str, principal: str) -> bool:
    """Revoke the token of `name`; False where there is no live one. Raises Unavailable."""
    with mapped_errors():
        async with engine.begin() as connection:
            done = await connection.execute(
                text("UPDATE tokens SET revoked_at = now() WHERE name = :name AND revoked_at IS NULL RETURNING id"),
                {"name": name},
            )
            if done.one_or_none() is None:
                return False
            await audit.record(connection, principal, "token.revoke", name, {})
            return True


async def find_token(engine: AsyncEngine, token: str) -> Principal | None:
    """Whom a live token stands for. Raises Unavailable."""
    with mapped_errors():
        async with engine.connect() as connection:
            row = await connection.execute(
                text("SELECT name, role FROM tokens WHERE sha256 = :sha256 AND revoked_at IS NULL"),
                {"sha256": _digest(token)},
            )
            found = row.one_or_none()
    return None if found is None else Principal(found[0], found[1])


def _digest(token: str) -> bytes:
    """Plain SHA-256: a token has 256 random bits, so there is nothing to slow a guesser down for."""
    return hashlib.sha256(token.encode()).digest()
