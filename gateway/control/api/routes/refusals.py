"""Refusals: declare, withdraw, look up one callee."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from gateway.control.api.caller import CHANGERS, STAFF, Caller, needs
from gateway.control.api.context import Context
from gateway.control.api.numbers import canonical
from gateway.control.api.problems import forbidden
from gateway.control.api.routes.consents import Changed, Lookup
from gateway.control.api.types import Body, HomeId, PhoneNumber, Text, Time
from gateway.control.importer.lists import home_list
from gateway.control.importer.refusals import add_refusal, withdraw_refusal
from gateway.control.importer.subscriber import Subscribers, keys_in_force
from gateway.registry.numbering import mask
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.of_callee import refusals_of
from gateway.store.sql.tokens import Role, Scope

OPERATOR = "operator"


class RefusalEvent(Body):
    """What a callee declines, or takes back."""

    callee: PhoneNumber
    scope: Literal["all", "category", "caller_prefix", "caller", "operator"] = "all"
    value: Text = Field(default="", description="Purpose, digits, number or operator id, as the scope says")
    source: Text = Field(default="", description="Where it was heard")
    at: Time | None = Field(default=None, description="When; default now")
    band: Text = Field(
        default="", description="Hours in which it counts, in the callee's time", examples=["mon-fri 12:00-14:00"]
    )
    agreement: Text = Field(default="", description="How the user agreed; required for a user's wish")
    home: HomeId = Field(default="", description="Resale operator whose user it is; empty: a user of ours")


class RefusalLookup(Lookup):
    """Whose wishes are asked for: those of our own users and of feeds, or of a resale operator's users alone."""

    home: HomeId = ""


class Refusal(BaseModel):
    """A refusal with its newest events."""

    scope: str
    value: str
    in_force: bool
    declared_at: datetime | None
    withdrawn_at: datetime | None
    source: str
    band: str
    list: str = Field(description="Whose it is: empty (ours), feed:ID or home:ID")
    agreement: str


class Refusals(BaseModel):
    """What one callee declined."""

    callee: str = Field(description="Masked")
    refusals: list[Refusal]


def router(context: Context) -> APIRouter:
    """`/refusals`."""
    routes = APIRouter(tags=["refusals"])

    @routes.post("/refusals", summary="A callee declines calls; they are refused within a second")
    async def add(body: RefusalEvent, caller: Caller = needs(*CHANGERS, Role.OPERATOR, scope=Scope.LISTS)) -> Changed:
        if caller.operator and (body.scope, body.value) != (OPERATOR, caller.operator):
            raise forbidden(f"an operator's token declares refusals of scope operator, value {caller.operator}, alone")
        changed = await add_refusal(
            context.engine, context.keys, body.callee, body.scope, body.value, body.source, body.at,
            principal=caller.name, band=body.band, home=body.home, agreement=body.agreement,
        )  # fmt: skip
        return Changed(changed=changed, callee=mask(body.callee))

    @routes.post("/refusals/withdraw", summary="A callee takes a refusal back")
    async def withdraw(body: RefusalEvent, caller: Caller = needs(*CHANGERS, scope=Scope.LISTS)) -> Changed:
        changed = await withdraw_refusal(
            context.engine, context.keys, body.callee, body.scope, body.value, body.source, body.at,
            principal=caller.name, band=body.band, home=body.home, agreement=body.agreement,
        )  # fmt: skip
        return Changed(changed=changed, callee=mask(body.callee))

    @routes.post("/refusals/lookup", summary="What one callee declined")
    async def lookup(body: RefusalLookup, _: Caller = needs(*STAFF)) -> Refusals:
        number = await canonical(context, body.callee)
        with mapped_errors():
            async with context.engine.connect() as connection:
                subscribers = Subscribers(await keys_in_force(connection, context.keys))
                rows = await refusals_of(connection, subscribers.hash(number), home_list(body.home))
        return Refusals(
            callee=mask(number),
            refusals=[
                Refusal(
                    scope=row.scope, value=row.value, in_force=row.in_force, declared_at=row.declared_at,
                    withdrawn_at=row.withdrawn_at, source=row.source, band=row.band, list=row.list,
                    agreement=row.agreement,
                )
                for row in rows
            ],
        )  # fmt: skip

    return routes
