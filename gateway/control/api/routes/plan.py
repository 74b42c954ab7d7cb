"""What calls are read by: purposes, numbering plan."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.control.api.caller import EVERYONE, Caller, needs
from gateway.control.api.context import Context
from gateway.store.sql import plan_rows as sql
from gateway.store.sql.engine import mapped_errors


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


def router(context: Context) -> APIRouter:
    """`/purposes`, `/plan`."""
    routes = APIRouter(tags=["registry"])
    everyone = needs(*EVERYONE)

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

    return routes


async def _read(context: Context, find: Callable[[AsyncConnection], Awaitable[Any]]) -> Any:
    with mapped_errors():
        async with context.engine.connect() as connection:
            return await find(connection)
