"""The application: pages without a token, the routes of `/api/v1` behind `access`."""

from __future__ import annotations

from fastapi import FastAPI

from gateway.control.api import openapi, pages, problems
from gateway.control.api.access import Access
from gateway.control.api.context import Context
from gateway.control.api.idempotent import Idempotent
from gateway.control.api.routes import ROUTERS

API = "/api/v1"


def make_app(context: Context, extra: pages.Extra) -> FastAPI:
    """Metrics, health and status page as ever; the API of `routes.ROUTERS`."""
    # No docs_url: FastAPI's page loads its scripts from elsewhere; this gateway's pages load nothing.
    app = FastAPI(
        title="Callgate",
        version="1",
        description=openapi.DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        redirect_slashes=False,
    )
    problems.install(app)
    app.include_router(pages.router(context, extra))
    routers = [make(context) for make in ROUTERS]
    for router in routers:
        app.include_router(router, prefix=API)
    app.add_middleware(Idempotent, context=context)
    app.add_middleware(Access, context=context)  # the one added last is asked first
    openapi.install(app, routers, API)
    return app
