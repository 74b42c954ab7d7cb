"""The registry read: operators, trunks, number ranges; and what opens a range."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.control import approvals
from gateway.control.api.caller import CHANGERS, EVERYONE, Caller, needs
from gateway.control.api.context import Context
from gateway.control.api.paging import Page, Paged, Paging
from gateway.control.api.problems import conflict, not_found
from gateway.control.api.routes.approvals import ApprovalShown
from gateway.control.api.routes.approvals import shown as approval_shown
from gateway.control.api.types import Body, PathId, Words
from gateway.store.sql import registry_rows as sql
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.tokens import Scope


class _FromRow(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Operator(_FromRow):
    """A call-centre business."""

    id: str
    name: str
    operator_class: str
    state: str


class Trunk(_FromRow):
    """A configured peer group. Passwords are never told."""

    id: str
    side: str
    operator: str
    sources: list[str]
    listeners: list[str]
    next_hops: list[str]
    trusted: bool
    state: str
    country: str
    area: str
    emergency_cli: str
    needs_asserted: bool
    ports: list[int]
    transports: list[str]
    tls_names: list[str]
    digest_users: list[str]
    algorithms: list[str]


class Range(_FromRow):
    """An assigned block of numbers."""

    id: str
    first: str
    last: str
    operator: str
    trunks: list[str]
    egress: list[str]
    outbound: bool
    inbound: bool
    purposes: list[str]
    certificate: str
    filing: str
    valid_from: datetime | None
    valid_to: datetime | None
    state: str


class Opening(Body):
    """Why a range is to be opened."""

    reason: Words


Find = Callable[..., Awaitable[Sequence[Row[Any]]]]


def router(context: Context) -> APIRouter:
    """`/operators`, `/trunks`, `/ranges`."""
    routes = APIRouter(tags=["registry"])
    everyone = needs(*EVERYONE)

    @routes.get("/operators", summary="Operators by id")
    async def operators(paging: Paged, caller: Caller = everyone) -> Page[Operator]:
        return await _page(context, sql.operators, paging, caller, Operator.model_validate)

    @routes.get("/operators/{operator}", summary="One operator")
    async def operator(operator: PathId, caller: Caller = everyone) -> Operator:
        return Operator.model_validate(await _one(context, sql.operators, "operator", operator, caller))

    @routes.get("/trunks", summary="Trunks by id")
    async def trunks(paging: Paged, caller: Caller = everyone) -> Page[Trunk]:
        return await _page(context, sql.trunks, paging, caller, Trunk.model_validate)

    @routes.get("/trunks/{trunk}", summary="One trunk")
    async def trunk(trunk: PathId, caller: Caller = everyone) -> Trunk:
        return Trunk.model_validate(await _one(context, sql.trunks, "trunk", trunk, caller))

    @routes.get("/ranges", summary="Number ranges by id")
    async def ranges(paging: Paged, caller: Caller = everyone) -> Page[Range]:
        return await _page(context, sql.ranges, paging, caller, Range.model_validate)

    @routes.get("/ranges/{number_range}", summary="One number range")
    async def number_range(number_range: PathId, caller: Caller = everyone) -> Range:
        return Range.model_validate(await _one(context, sql.ranges, "range", number_range, caller))

    @routes.post(
        "/ranges/{number_range}/open-outbound", status_code=202,
        summary="Ask to open a range for outbound calls; another principal has to approve",
    )  # fmt: skip
    async def open_outbound(
        number_range: PathId, body: Opening, caller: Caller = needs(*CHANGERS, scope=Scope.REGISTRY)
    ) -> ApprovalShown:
        row = await _one(context, sql.ranges, "range", number_range, caller)
        if row.outbound:
            raise conflict(f"range {number_range} is open for outbound calls already")
        made = await approvals.request(
            context.engine, "range.open-outbound", number_range, {}, body.reason, caller.name, operator=row.operator
        )
        return approval_shown(made)

    return routes


async def _read(context: Context, find: Callable[[AsyncConnection], Awaitable[Any]]) -> Any:
    with mapped_errors():
        async with context.engine.connect() as connection:
            return await find(connection)


async def _page(
    context: Context, find: Find, paging: Paging, caller: Caller, show: Callable[[Row[Any]], Any]
) -> Page[Any]:
    after = paging.after(str)
    start, limit = str(after[0]) if after else "", paging.limit + 1
    rows = await _read(
        context, lambda connection: find(connection, operator=caller.operator, after=start, limit=limit)
    )
    return paging.page(rows, show, lambda row: (row.id,))


async def _one(context: Context, find: Find, what: str, name: str, caller: Caller) -> Row[Any]:
    """The row; another operator's is as good as none. Raises 404."""
    rows: Sequence[Row[Any]] = await _read(
        context, lambda connection: find(connection, row_id=name, operator=caller.operator)
    )
    if not rows:
        raise not_found(what, name)
    return rows[0]
