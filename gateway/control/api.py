"""The HTTP side of the control process: metrics, health, a status page, and the beginning of the REST API."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse, JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from gateway.compiled import FLAVOUR
from gateway.control.health import Health
from gateway.control.page import status_page
from gateway.process import SUPERVISOR_VARIABLE
from gateway.settings import Settings
from gateway.telemetry.collector import StatsHub, exposition
from gateway.telemetry.metrics import NAMES, Samples

Extra = Callable[[], Mapping[str, Samples]]
"""Samples of the control process itself (projection lag, …), by metric name."""

BUILD: Samples = [((FLAVOUR,), 1.0)]


def make_app(settings: Settings, hub: StatsHub, health: Health, extra: Extra) -> FastAPI:
    """The application; everything it shows is read at the request, nothing is cached."""
    # No docs_url: FastAPI's page loads its scripts from elsewhere; this gateway's pages load nothing.
    app = FastAPI(title="Callgate", docs_url=None, redoc_url=None, openapi_url="/api/openapi.json")
    supervisor = int(os.environ.get(SUPERVISOR_VARIABLE, "0"))

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> dict[str, str]:
        """The control process lives."""
        return {"status": "ok"}

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> JSONResponse:
        """200 when the node takes calls (also `degraded`: PostgreSQL is away), else 503; the body names each part."""
        report = await health.check()
        body = {**report.as_json(), "node": settings.node.name, "supervisor": supervisor}
        return JSONResponse(body, status_code=200 if report.ready else 503)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        """Prometheus text format, all workers merged."""
        report = await health.check()
        up: Samples = [((), float(part.ok)) for name, part in report.parts.items() if name == "database"]
        samples = {**extra(), "callgate_database_up": up, "callgate_build_info": BUILD}
        return Response(exposition(hub, samples), media_type=CONTENT_TYPE_LATEST)

    @app.get("/api/v1/status", summary="The node, its parts and its counters")
    async def status() -> dict[str, object]:
        """Readiness and the merged counters as JSON."""
        report = await health.check()
        return {
            **report.as_json(),
            "node": settings.node.name,
            "listeners": [f"{item.transport}:{item.address}:{item.port}" for item in settings.listener],
            "counters": _counters(hub),
        }

    @app.get("/", include_in_schema=False)
    async def page() -> HTMLResponse:
        """The status page."""
        report = await health.check()
        return HTMLResponse(status_page(settings, report, hub))

    return app


def _counters(hub: StatsHub) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = {}
    for name in NAMES.values():
        if name.kind == "histogram":
            continue
        labels = ("worker", *name.labels) if name.merge == "each" else name.labels
        samples = hub.samples(name)
        if samples:
            found[name.name] = [{**dict(zip(labels, values, strict=True)), "value": value} for values, value in samples]
    return found
