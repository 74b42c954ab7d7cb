"""The routes of `/api/v1`, one file per thing. A new file is added to ROUTERS; `gateway.control.api` says how."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fastapi import APIRouter

from gateway.control.api.context import Context
from gateway.control.api.routes import (
    approvals,
    audit,
    consents,
    decisions,
    explain,
    exports,
    imports,
    lists_admin,
    packs,
    papers,
    peers,
    plan,
    refusals,
    registry,
    registry_changes,
    reports,
    reveal,
    status,
    tokens,
    triggers,
    wishes,
)

ROUTERS: Final[tuple[Callable[[Context], APIRouter], ...]] = (
    status.router,
    consents.router,
    refusals.router,
    triggers.router,
    wishes.router,
    registry.router,
    registry_changes.router,
    papers.router,
    plan.router,
    packs.router,
    peers.router,
    imports.router,
    exports.router,
    decisions.router,
    explain.router,
    reports.router,
    reveal.router,
    approvals.router,
    audit.router,
    tokens.router,
    lists_admin.router,
)
