"""The node, its parts and its counters."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from gateway.control.api.caller import STAFF, Caller, needs
from gateway.control.api.context import Context
from gateway.telemetry.collector import StatsHub
from gateway.telemetry.metrics import NAMES


class PartState(BaseModel):
    """One thing the node needs."""

    ok: bool
    detail: str


class Status(BaseModel):
    """The node now."""

    node: str
    ready: bool
    status: str = Field(description="ready, degraded (calls are unaffected) or not ready")
    parts: dict[str, PartState]
    listeners: list[str] = Field(description="transport:address:port")
    counters: dict[str, list[dict[str, str | float]]] = Field(description="Labels and `value`, by metric name")


def router(context: Context) -> APIRouter:
    """`/status`."""
    routes = APIRouter(tags=["status"])

    @routes.get("/status", summary="The node, its parts and its counters")
    async def status(_: Caller = needs(*STAFF)) -> Status:
        report = await context.health.check()
        return Status(
            ready=report.ready,
            status=report.status,
            parts={name: PartState(ok=part.ok, detail=part.detail) for name, part in report.parts.items()},
            node=context.settings.node.name,
            listeners=[f"{item.transport}:{item.address}:{item.port}" for item in context.settings.listener],
            counters=_counters(context.hub),
        )

    return routes


def _counters(hub: StatsHub) -> dict[str, list[dict[str, str | float]]]:
    found: dict[str, list[dict[str, str | float]]] = {}
    for name in NAMES.values():
        if name.kind == "histogram":
            continue
        labels = ("worker", *name.labels) if name.merge == "each" else name.labels
        samples = hub.samples(name)
        if samples:
            found[name.name] = [{**dict(zip(labels, values, strict=True)), "value": value} for values, value in samples]
    return found
