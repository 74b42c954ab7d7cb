"""The registry read: operators, trunks, number ranges. `registry_changes` changes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.control.api.caller import EVERYONE, Caller, needs
from gateway.control.api.context import Context
from gateway.control.api.paging import Page, Paged, Paging
from gateway.control.api.problems import not_found
from gateway.control.api.types import PathId
from gateway.store.sql import registry_rows as sql
from gateway.store.sql.engine import mapped_errors


class _FromRow(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Operator(_FromRow):
    """A call-centre business."""

    id: str
    name: str
    operator_class: str
    state: str
    credit_code: str


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
    outbound: bool
    inbound: bool
    carrier: str
    circuit: str
    contract: str
    contract_from: datetime | None
    contract_to: datetime | None
    agreement: str
    region: str
    origin: str
    purpose_header: str
    channels: int = Field(description="Calls at once; 0: any number")
    cps: int = Field(description="New calls per second; 0: any number")


class Step(BaseModel):
    """From when a range is in which state; it may lie ahead."""

    at: datetime
    state: str


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
    state: str = Field(description="Before the first of `steps`")
    steps: list[Step]
    length: int = Field(description="Total digits as the certificate states them; 0: not stated")
    regions: list[str]
    carriers: list[str]
    tenant: str

    @field_validator("steps", mode="before")
    @classmethod
    def _stored(cls, steps: list[tuple[float, str]]) -> list[dict[str, object]]:
        return [{"at": datetime.fromtimestamp(at, UTC), "state": state} for at, state in steps]




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
