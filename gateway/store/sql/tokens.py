"""API tokens: made once, shown once, kept as a hash. A token stands for a principal in one role, may do what its
scopes name, and ends by itself where it has an expiry."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.store.ports import Conflict
from gateway.store.sql import audit
from gateway.store.sql.engine import mapped_errors

PREFIX: Final = "cg_"
TOKEN_CHARACTERS: Final = len(PREFIX) + 43
"""256 random bits in base64url."""
MAX_NAME: Final = 64
HOME_ID: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
"""Id of a resale operator."""


class Role(StrEnum):
    """Who somebody is."""

    VIEWER = "viewer"
    """Reads; sees no subscriber number in clear."""
    OPERATOR = "operator"
    """A call centre's own staff: bound to one operator id, reads and changes that one's data alone."""
    RESALE = "resale"
    """A resale operator's own staff (RULES B18, B19): bound to one home id, reads and changes wishes of its users."""
    COMPLIANCE = "compliance"
    """Carrier's compliance staff: lists, registry, approvals, evidence."""
    ADMIN = "admin"
    """Everything but reveal; makes tokens."""


class Scope(StrEnum):
    """What a token may do of what its role may."""

    READ = "read"
    LISTS = "lists"
    """Change consents, refusals, wishes, feeds."""
    REGISTRY = "registry"
    """Change operators, papers, trunks, numbers, packs, peers; request and decide approvals."""
    REVEAL = "reveal"
    """See one subscriber number in clear, with a reason."""
    ADMIN = "admin"
    """Make and revoke tokens."""


ALLOWED: Final[dict[Role, frozenset[Scope]]] = {
    Role.VIEWER: frozenset({Scope.READ}),
    Role.OPERATOR: frozenset({Scope.READ, Scope.LISTS, Scope.REGISTRY}),
    Role.RESALE: frozenset({Scope.READ, Scope.LISTS}),
    Role.COMPLIANCE: frozenset({Scope.READ, Scope.LISTS, Scope.REGISTRY, Scope.REVEAL}),
    Role.ADMIN: frozenset({Scope.READ, Scope.LISTS, Scope.REGISTRY, Scope.ADMIN}),
}
"""The most a role may be given."""

ASKED_FOR: Final = frozenset({Scope.REVEAL})
"""Scopes a token has only where they were named when it was made."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a live token stands for."""

    id: int
    name: str
    role: Role
    operator: str
    """Operator id; empty where it is bound to none."""
    scopes: frozenset[Scope]
    home: str = ""
    """Id of the resale operator whose users alone it is for; empty where it is bound to none."""

    @property
    def may_agree(self) -> bool:
        """Whether he may ask for, and allow, what takes two persons."""
        return self.role in (Role.COMPLIANCE, Role.ADMIN) and Scope.REGISTRY in self.scopes


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token as it is listed."""

    id: int
    name: str
    person: str
    role: str
    operator: str
    scopes: tuple[str, ...]
    principal: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    home: str


async def create_token(
    engine: AsyncEngine,
    name: str,
    role: str,
    principal: str,
    *,
    person: str = "",
    operator: str = "",
    home: str = "",
    scopes: Iterable[str] = (),
    expires_at: datetime | None = None,
) -> str:
    """A new token for `name` (unique for ever); returns the token, which is not kept.

    `person`: who holds it, default `name`; where two persons have to agree, tokens of one person are one
    (`store.sql.persons`). `operator`: needed in the role operator, and only there; `home` in the role resale.
    `scopes`: default all the role may have without being asked for. Raises ValueError (names field, value and fix),
    Conflict where the name is taken, Unavailable.
    """
    known, given = checked_role(role), frozenset(map(str, scopes))
    wanted = checked_scopes(known, given) if given else ALLOWED[known] - ASKED_FOR
    person = person or name
    for field, value in (("name", name), ("person", person)):
        if not (0 < len(value) <= MAX_NAME and value.isprintable()):
            raise ValueError(f"{field}: {value!r}: write 1 to {MAX_NAME} printable characters")
    for field, value, role_of_it in (("operator", operator, Role.OPERATOR), ("home", home, Role.RESALE)):
        if bool(value) != (known is role_of_it):
            fix = f"leave it out: only role {role_of_it} has one" if value else "name the one it is bound to"
            raise ValueError(f"{field}: {value or '(empty)'!r}: {fix}")
    if home and not HOME_ID.fullmatch(home):
        raise ValueError(f"home: {home!r}: write up to 64 of a-z, 0-9, '.', '_' and '-', as with --home of imports")
    token = PREFIX + secrets.token_urlsafe(32)
    detail = {"person": person, "role": known, "operator": operator, "home": home, "scopes": sorted(wanted),
              "expires_at": expires_at}  # fmt: skip
    with mapped_errors():
        async with engine.begin() as connection:
            if operator and (await connection.execute(_OPERATOR, {"id": operator})).scalar_one_or_none() is None:
                raise ValueError(f"operator: {operator!r}: there is none of this id")
            made = await connection.execute(
                _INSERT,
                {
                    "name": name, "person": person, "sha256": digest(token), "role": str(known), "principal": principal,
                    "operator": operator or None, "home": home or None, "scopes": sorted(wanted),
                    "expires_at": expires_at,
                },
            )  # fmt: skip
            if made.one_or_none() is None:
                raise Conflict(f"name: {name!r}: is taken, for ever where it is a revoked token's: choose another")
            await audit.record(connection, principal, "token.create", name, detail)
    return token


_OPERATOR = text("SELECT 1 FROM operators WHERE id = :id")
_INSERT = text(
    "INSERT INTO tokens (name, person, sha256, role, principal, operator, home, scopes, expires_at) "
    "VALUES (:name, :person, :sha256, :role, :principal, :operator, :home, :scopes, :expires_at) "
    "ON CONFLICT (name) DO NOTHING RETURNING id"
)


def checked_role(role: str) -> Role:
    """The role. Raises ValueError."""
    try:
        return Role(role)
    except ValueError:
        raise ValueError(f"role: {role!r}: write one of {', '.join(Role)}") from None


def checked_scopes(role: Role, scopes: Iterable[str]) -> frozenset[Scope]:
    """The scopes, of those the role may have. Raises ValueError."""
    for scope in scopes:
        if scope not in ALLOWED[role]:
            raise ValueError(f"scopes: {scope!r}: role {role} may have {', '.join(sorted(ALLOWED[role]))}")
    return frozenset(map(Scope, scopes))


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
    """Whom a live token stands for; None where it is unknown, revoked or expired. Raises Unavailable."""
    with mapped_errors():
        async with engine.connect() as connection:
            found = (await connection.execute(_FIND, {"sha256": digest(token)})).one_or_none()
    if found is None:
        return None
    token_id, name, role, operator, scopes, home = found
    return Principal(token_id, name, Role(role), operator or "", frozenset(map(Scope, scopes)), home or "")


_FIND = text(
    "SELECT id, name, role, operator, scopes, home FROM tokens WHERE sha256 = :sha256 AND revoked_at IS NULL "
    "AND (expires_at IS NULL OR expires_at > now())"
)


async def list_tokens(engine: AsyncEngine, after: str = "", limit: int = 1_000) -> list[TokenRow]:
    """Tokens by name after `after`, those that ended too. Raises Unavailable."""
    with mapped_errors():
        async with engine.connect() as connection:
            rows = await connection.execute(
                text(
                    "SELECT id, name, person, role, operator, scopes, principal, created_at, expires_at, revoked_at, "
                    "coalesce(home, '') FROM tokens WHERE name > :after ORDER BY name LIMIT :limit"
                ),
                {"after": after, "limit": limit},
            )
            return [_row(row) for row in rows]


def _row(row: Any) -> TokenRow:
    return TokenRow(row[0], row[1], row[2], row[3], row[4] or "", tuple(row[5]), *row[6:])


def digest(token: str) -> bytes:
    """Plain SHA-256: a token has 256 random bits, so there is nothing to slow a guesser down for."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
