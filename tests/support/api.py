"""The API in process, over a real PostgreSQL with the example's registry in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.api import Context, make_app
from gateway.control.health import Health
from gateway.keys import encode
from gateway.settings import Database, Http, Node, Redis, Settings
from gateway.store.sql.engine import make_engine
from gateway.store.sql.tokens import create_token
from gateway.telemetry.collector import StatsHub
from tests.support.database import KEYS, import_example_registry

PLENTY = 10_000.0
"""Requests a second: tests of something else are not held up."""


@dataclass
class ApiSite:
    """The application, its engine, and a client."""

    app: FastAPI
    context: Context
    client: httpx.AsyncClient
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def engine(self) -> AsyncEngine:
        return self.context.engine

    async def token(self, who: str, **more: Any) -> str:
        """A token of a role (`viewer`, `compliance`, `admin`), or of an operator (`alpha`, `beta`); made once."""
        if who not in self.tokens:
            bound = {"operator": who} if who in ("alpha", "beta") else {}
            role = "operator" if bound else who.split("-")[0]
            self.tokens[who] = await create_token(self.engine, who, role, "test", **bound, **more)
        return self.tokens[who]

    async def ask(self, who: str, method: str, path: str, json: Any = None, **more: Any) -> httpx.Response:
        """A request of `who`."""
        headers = {"Authorization": f"Bearer {await self.token(who)}", **more.pop("headers", {})}
        return await self.client.request(method, f"/api/v1{path}", json=json, headers=headers, **more)


@asynccontextmanager
async def api_on(
    url: str, state: Path, *, redis_url: str = "", registry: bool = True, requests_per_s: float = PLENTY,
    max_upload_mb: int = 64,
) -> AsyncIterator[ApiSite]:
    """The API over a migrated database."""
    _write_keys(state)
    settings = Settings(
        node=Node(state_dir=str(state)),
        http=Http(requests_per_s=requests_per_s, max_upload_mb=max_upload_mb),
        database=Database(url=url),
        redis=Redis(url=redis_url),
    )
    hub = StatsHub({}, 0.2)
    engine, patient = make_engine(url), make_engine(url, pool_size=2)
    context = Context(settings, hub, Health(hub, {}), engine, patient)
    app = make_app(context, dict)
    try:
        if registry:
            await import_example_registry(engine)
        transport = httpx.ASGITransport(app, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield ApiSite(app, context, client)
    finally:
        await context.close()


def _write_keys(state: Path) -> None:
    state.mkdir(parents=True, exist_ok=True)
    keys = state / "keys.json"
    keys.write_bytes(encode(KEYS))
    keys.chmod(0o600)
