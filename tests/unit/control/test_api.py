"""The HTTP side, asked in process: health, readiness, metrics, status page."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from gateway.control.api import Context, make_app
from gateway.control.health import Health
from gateway.settings import Node, Settings
from gateway.store.sql.engine import make_engine
from gateway.telemetry.collector import StatsHub
from gateway.telemetry.metrics import Samples, WorkerStats
from gateway.telemetry.stats_socket import serve_stats


@pytest.fixture
def stats() -> WorkerStats:
    stats = WorkerStats(0)
    stats.registry_version, stats.dataset_epoch, stats.redis_up = 4, 1, True
    stats.calls["cc-alpha", "outbound", "refuse", "consent-missing"] = 3
    stats.peers["<b>carrier</b>", "127.0.0.9:5060"] = True
    return stats


@pytest.fixture
async def client(tmp_path: Path, stats: WorkerStats) -> AsyncIterator[httpx.AsyncClient]:
    server = await serve_stats(tmp_path / "w", stats.snapshot)
    hub = StatsHub({"worker-0": tmp_path / "w"}, timeout_s=10)  # a busy machine may be slow, a test may not be
    lag: dict[str, Samples] = {"callgate_projection_lag_seconds": [((), 0.5)]}
    engine = make_engine("postgresql://nobody@127.0.0.1:1/none")  # not asked: nothing here needs a token
    context = Context(Settings(node=Node(name="n<1>")), hub, Health(hub, {}), engine, engine)
    app = make_app(context, lambda: lag)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client
    server.close()


async def test_healthz(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).json() == {"status": "ok"}


async def test_readyz_names_each_part(client: httpx.AsyncClient, stats: WorkerStats) -> None:
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"], answer.json()["node"]) == (200, True, "n<1>")
    stats.redis_up = False
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["parts"]["worker-0"]["ok"] is False


async def test_metrics(client: httpx.AsyncClient) -> None:
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    labels = 'direction="outbound",rule="consent-missing",trunk="cc-alpha",verdict="refuse"'
    lines = answer.text.splitlines()
    (line,) = [line for line in lines if line.startswith("callgate_calls_total{")]
    assert sorted(line[21 : line.index("}")].split(",")) == sorted(labels.split(","))
    assert line.endswith(" 3.0")
    assert "callgate_projection_lag_seconds 0.5" in lines


async def test_the_api_needs_a_token(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/status")
    assert answer.status_code == 401 and answer.headers["content-type"] == "application/problem+json"


async def test_the_page_escapes_what_it_shows(client: httpx.AsyncClient) -> None:
    page = (await client.get("/")).text
    assert 'n&lt;1&gt;: <span class="ok">ready</span>' in page
    assert "&lt;b&gt;carrier&lt;/b&gt;" in page
    assert "consent-missing" in page
    assert "<script" not in page
    assert "<td>in use</td>" in page


async def test_what_the_page_links_is_there_and_nothing_is_loaded_from_elsewhere(client: httpx.AsyncClient) -> None:
    page = (await client.get("/")).text
    links = re.findall(r'(?:href|src)="([^"]+)"', page)
    assert {"/metrics", "/readyz", "/api/openapi.json"} <= set(links)
    for link in links:
        assert (await client.get(link)).status_code == 200
    for gone in ("/api/docs", "/docs", "/redoc"):
        assert (await client.get(gone)).status_code == 404


async def test_a_peer_that_is_down_is_shown(client: httpx.AsyncClient, stats: WorkerStats) -> None:
    stats.peers.clear()
    stats.peers["carrier", "127.0.0.9:5060"] = False
    page = (await client.get("/")).text
    assert '<td>127.0.0.9:5060</td><td><span class="bad">down</span></td>' in page
