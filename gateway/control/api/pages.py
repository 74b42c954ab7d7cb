"""What needs no token: metrics, health, the status page. Nothing of it names a subscriber."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse, JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from gateway.compiled import FLAVOUR
from gateway.control.api.context import Context
from gateway.control.page import status_page
from gateway.process import SUPERVISOR_VARIABLE
from gateway.telemetry.collector import exposition
from gateway.telemetry.metrics import Samples

Extra = Callable[[], Mapping[str, Samples]]
"""Samples of the control process itself (projection lag, …), by metric name."""

BUILD: Samples = [((FLAVOUR,), 1.0)]


def router(context: Context, extra: Extra) -> APIRouter:
    """Everything shown is read at the request, nothing is cached."""
    pages = APIRouter(include_in_schema=False)
    settings, health, hub = context.settings, context.health, context.hub
    supervisor = int(os.environ.get(SUPERVISOR_VARIABLE, "0"))

    @pages.get("/healthz")
    async def healthz() -> dict[str, str]:
        """The control process lives."""
        return {"status": "ok"}

    @pages.get("/readyz")
    async def readyz() -> JSONResponse:
        """200 when the node takes calls (also `degraded`: PostgreSQL is away), else 503; the body names each part."""
        report = await health.check()
        body = {**report.as_json(), "node": settings.node.name, "supervisor": supervisor}
        return JSONResponse(body, status_code=200 if report.ready else 503)

    @pages.get("/metrics")
    async def metrics() -> Response:
        """Prometheus text format, all workers merged."""
        report = await health.check()
        up: Samples = [((), float(part.ok)) for name, part in report.parts.items() if name == "database"]
        answered: Samples = [(labels, float(count)) for labels, count in context.answered.items()]
        own = {"callgate_database_up": up, "callgate_build_info": BUILD, "callgate_api_requests_total": answered}
        samples = {**extra(), **own}
        return Response(exposition(hub, samples), media_type=CONTENT_TYPE_LATEST)

    @pages.get("/")
    async def page() -> HTMLResponse:
        """The status page."""
        report = await health.check()
        return HTMLResponse(status_page(settings, report, hub))

    return pages
