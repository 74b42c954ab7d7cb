"""What calls are read and judged by: purposes, numbering plan, rule packs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.control.api.caller import EVERYONE, STAFF, Caller, needs
from gateway.control.api.context import Context
from gateway.control.api.paging import Page, Paged
from gateway.store.sql import plan_rows as sql
from gateway.store.sql.engine import mapped_errors

LAST_VERSION: Final = 2**31 - 1
"""Of a pack: the column's."""


class Purpose(BaseModel):
    """What calls are made for."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    title: str


class Purposes(BaseModel):
    """All of them; at most 255."""

    purposes: list[Purpose]


class PlanRow(BaseModel):
    """Numbers that begin with `prefix`."""

    prefix: str
    kind: str
    min_len: int
    max_len: int
    region: str


class Plan(BaseModel):
    """The numbering plan."""

    country: str
    zone: str
    emergency: list[str]
    entries: list[PlanRow]


class Pack(BaseModel):
    """A stored rule pack."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    version: int
    sha256: str
    principal: str = Field(description="Who imported it")
    imported_at: datetime
    in_force: bool


def router(context: Context) -> APIRouter:
    """`/purposes`, `/plan`, `/packs`."""
    routes = APIRouter(tags=["registry"])
    everyone, staff = needs(*EVERYONE), needs(*STAFF)

    @routes.get("/purposes", summary="Purposes of calls")
    async def purposes(_: Caller = everyone) -> Purposes:
        rows = await _read(context, sql.purposes)
        return Purposes(purposes=[Purpose.model_validate(row) for row in rows])

    @routes.get("/plan", summary="The numbering plan")
    async def plan(_: Caller = everyone) -> Plan:
        entries, emergency, country, zone = await _read(context, sql.plan)
        rows = [
            PlanRow(prefix=one.prefix, kind=one.kind, min_len=one.min_len, max_len=one.max_len, region=one.region)
            for one in entries
        ]
        return Plan(country=country, zone=zone, emergency=list(emergency), entries=rows)

    @routes.get("/packs", summary="Stored rule packs, and which is in force")
    async def packs(paging: Paged, _: Caller = staff) -> Page[Pack]:
        after = paging.after(str, int)
        before = (str(after[0]), min(int(after[1]), LAST_VERSION)) if after else None
        rows = await _read(context, lambda connection: sql.packs(connection, before, paging.limit + 1))
        return paging.page(rows, Pack.model_validate, lambda row: (row.id, row.version))

    return routes


async def _read(context: Context, find: Callable[[AsyncConnection], Awaitable[Any]]) -> Any:
    with mapped_errors():
        async with context.engine.connect() as connection:
            return await find(connection)
