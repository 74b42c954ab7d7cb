"""Tokens in SQL: shown once, revoked for ever, one name once."""

from __future__ import annotations

import pytest

from gateway.store.ports import Conflict
from gateway.store.sql.tokens import Principal, Role, Scope, create_token, find_token, revoke_token
from tests.support.database import count, engine_on


async def test_tokens_are_shown_once_and_revoked(migrated_url: str) -> None:
    async with engine_on(migrated_url, registry=False) as engine:
        token = await create_token(engine, "grafana", "viewer", "ann")
        found = await find_token(engine, token)
        assert found is not None
        assert found == Principal(found.id, "grafana", Role.VIEWER, "", frozenset({Scope.READ}))
        assert await find_token(engine, token + "x") is None
        with pytest.raises(Conflict):
            await create_token(engine, "grafana", "viewer", "ann")
        with pytest.raises(ValueError, match="role: 'king'"):
            await create_token(engine, "x", "king", "ann")
        assert await revoke_token(engine, "grafana", "ann")
        assert not await revoke_token(engine, "grafana", "ann")
        assert await find_token(engine, token) is None
        assert await count(engine, "tokens WHERE encode(sha256, 'escape') LIKE 'cg_%'") == 0
