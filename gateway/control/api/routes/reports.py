"""Reports on the evidence, for regulators and for those who look after operators."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel

from gateway.control.api.caller import EVERYONE, STAFF, Caller, needs
from gateway.control.api.context import Context
from gateway.control.api.numbers import canonical
from gateway.control.api.problems import invalid
from gateway.control.api.types import Body, PhoneNumber, Time
from gateway.control.tracing import trace
from gateway.store.sql import reports

MAX_SPAN: Final = timedelta(days=366)
DEFAULT_SPAN: Final = timedelta(days=31)

Since = Annotated[Time | None, Query(description="Not before; default 31 days ago")]
Until = Annotated[Time | None, Query(description="Before; default now")]


class TrafficRow(BaseModel):
    """Calls that were let through, of one operator in one month (UTC)."""

    month: str
    operator: str
    inbound: int
    outbound: int
    outbound_percent: int
    flagged: bool


class ForeignRow(BaseModel):
    """A number that was seen on a trunk of somebody else's."""

    trunk: str
    trunk_operator: str
    owner: str
    number: str
    calls: int
    first: datetime
    last: datetime


class BehaviourRow(BaseModel):
    """A trunk whose calls rule `behaviour` marked or refused."""

    trunk: str
    operator: str
    marked: int
    refused: int
    first: datetime
    last: datetime


class Findings(BaseModel):
    """Signs that numbers or trunks are let to others, or used to harass."""

    foreign_numbers: list[ForeignRow]
    behaviour: list[BehaviourRow]


class TraceQuestion(Body):
    """A callee, and a minute in which he was called."""

    callee: PhoneNumber
    minute: Time


class Traced(BaseModel):
    """The whole chain of each call; subscriber numbers are masked."""

    calls: list[dict[str, Any]]


def router(context: Context) -> APIRouter:
    """`/reports`."""
    routes = APIRouter(tags=["reports"])

    def span(since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
        end = until or datetime.fromtimestamp(context.clock(), UTC)
        begin = since or end - DEFAULT_SPAN
        if not begin < end or end - begin > MAX_SPAN:
            raise invalid("since", begin.isoformat(), f"write a time before `until`, within {MAX_SPAN.days} days")
        return begin, end

    @routes.get("/reports/traffic", summary="Inbound and outbound calls by operator and month")
    async def traffic(
        since: Since = None,
        until: Until = None,
        threshold: Annotated[int, Query(ge=0, le=100, description="Outbound percentage that is flagged")] = 50,
        caller: Caller = needs(*EVERYONE),
    ) -> list[TrafficRow]:
        rows = await reports.traffic(context.engine, *span(since, until), caller.operator)
        return [
            TrafficRow(
                month=row.month, operator=row.operator, inbound=row.inbound, outbound=row.outbound,
                outbound_percent=row.outbound_percent, flagged=row.outbound_percent > threshold,
            )
            for row in rows
        ]  # fmt: skip

    @routes.get("/reports/findings", summary="Numbers on other operators' trunks, and trunks that call suspiciously")
    async def findings(since: Since = None, until: Until = None, _: Caller = needs(*STAFF)) -> Findings:
        begin, end = span(since, until)
        foreign = await reports.foreign_numbers(context.engine, begin, end)
        suspicious = await reports.behaviour(context.engine, begin, end)
        return Findings(
            foreign_numbers=[ForeignRow.model_validate(row, from_attributes=True) for row in foreign],
            behaviour=[BehaviourRow.model_validate(row, from_attributes=True) for row in suspicious],
        )

    @routes.post("/reports/trace", summary="Who called this number in that minute: the whole chain")
    async def traced(body: TraceQuestion, _: Caller = needs(*STAFF)) -> Traced:
        callee = await canonical(context, body.callee, "callee")
        return Traced(calls=await trace(context.engine, context.keys, callee, body.minute))

    return routes
