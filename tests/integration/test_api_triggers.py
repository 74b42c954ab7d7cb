"""Triggers by API: written where the calls look, by whose operator it is, and nowhere while Redis is away."""

from __future__ import annotations

import time
from pathlib import Path

from gateway.gate.pseudonym import Pseudonymizer
from gateway.store.redis import counters
from tests.support.api import api_on
from tests.support.database import KEYS, count
from tests.support.redis_fixtures import redis_process
from tests.support.redis_server import RedisServer

__all__ = ["redis_process"]

CALLEE = "+8613800138000"


async def test_a06_an_operator_reports_its_own_triggers(
    migrated_url: str, tmp_path: Path, redis_process: RedisServer
) -> None:
    async with api_on(migrated_url, tmp_path, redis_url=redis_process.url) as api:
        body = {"operator": "alpha", "callee": CALLEE, "keep_s": 60}
        assert (await api.ask("beta", "POST", "/triggers", body)).status_code == 403
        assert (await api.ask("alpha", "POST", "/triggers", {**body, "at": "2999-01-01T00:00:00Z"})).status_code == 422
        assert (await api.ask("admin", "POST", "/triggers", {**body, "operator": "nobody"})).status_code == 404
        made = await api.ask("alpha", "POST", "/triggers", body)
        assert made.status_code == 201, made.text
        assert made.json()["callee"] != CALLEE
        with redis_process.client() as client:
            found = client.hgetall(counters.counters_key(Pseudonymizer(KEYS.pseudonym).hash(CALLEE)))
        assert found[b"k"] == b"60000"
        (at,) = (int(value) / 1000 for field, value in found.items() if field[:1] == b"t")
        assert abs(at - time.time()) < 10
        assert await count(api.engine, "audit WHERE action = 'trigger.add' AND object = 'alpha'") == 1
        redis_process.kill()
        assert (await api.ask("alpha", "POST", "/triggers", body)).status_code == 503
        assert await count(api.engine, "audit WHERE action = 'trigger.add'") == 1, "nothing was recorded"
