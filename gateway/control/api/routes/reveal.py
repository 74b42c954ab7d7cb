"""One subscriber number in clear: with a reason, and an audit row that is written first."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field, StringConstraints

from gateway.control.api.caller import Caller, needs
from gateway.control.api.context import Context
from gateway.control.api.problems import not_found
from gateway.control.api.types import Body, Words
from gateway.control.calls import reveal_call
from gateway.store.sql.tokens import Role, Scope


class Reveal(Body):
    """Which number, and why."""

    decision: Annotated[str, StringConstraints(pattern="^[0-9a-f]{32}$")] = Field(description="Whole decision id")
    reason: Words = Field(description="Stands in the audit trail: a complaint's number")


class Revealed(BaseModel):
    """The subscriber's number of a call: callee of an outbound one, caller of an inbound one."""

    decision: str
    number: str = Field(description="Empty: the call named none")


def router(context: Context) -> APIRouter:
    """`/reveal`."""
    routes = APIRouter(tags=["decisions"])

    @routes.post("/reveal", summary="A subscriber's number in clear; goes on record")
    async def reveal(
        body: Reveal, response: Response, caller: Caller = needs(Role.COMPLIANCE, scope=Scope.REVEAL)
    ) -> Revealed:
        number = await reveal_call(context.engine, context.keys, body.decision, body.reason, caller.name)
        if number is None:
            raise not_found("decision", body.decision)
        response.headers["Cache-Control"] = "no-store"
        return Revealed(decision=body.decision, number=number)

    return routes
