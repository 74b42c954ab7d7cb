"""Wishes of users (RULES B17), and a resale operator's access to those of its own (B18, B19).

A token in the role resale is let in here and nowhere else; `Caller.home` says whose users it speaks of."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from gateway.control.api.caller import CHANGERS, STAFF, Caller, needs
from gateway.control.api.context import Context
from gateway.control.api.numbers import canonical
from gateway.control.api.problems import invalid
from gateway.control.api.routes.consents import Changed
from gateway.control.api.types import Body, HomeId, PhoneNumber, Text, Time, Words
from gateway.control.importer.wishes import set_wish, wishes_of, withdraw_wish
from gateway.registry.numbering import mask
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.tokens import Role, Scope
from gateway.store.sql.wish_statistics import MAX_DAYS, wish_statistics

SOURCE: Final = "user"
HOME = Field(default="", description="Resale operator whose user it is; empty: ours, or the token's own")


class WishEvent(Body):
    """What a user does not want, or takes back; scope, value and band as it was set."""

    callee: PhoneNumber
    scope: Literal["all", "category", "caller_prefix", "caller", "operator"] = "all"
    value: Text = Field(default="", description="Purpose, digits, number or operator id, as the scope says")
    band: Text = Field(
        default="", description="Hours in which it counts, in the user's time", examples=["mon-fri 12:00-14:00"]
    )
    agreement: Words = Field(description="How the user agreed", examples=["sms 2024-05-01 KTFSR"])
    at: Time | None = Field(default=None, description="When; default now")
    home: HomeId = HOME


class WishLookup(Body):
    """Whose wishes are asked for. That it was asked is recorded."""

    callee: PhoneNumber
    home: HomeId = HOME


class WishShown(BaseModel):
    """A wish with its newest events."""

    scope: str
    value: str
    band: str
    in_force: bool
    declared_at: datetime | None
    withdrawn_at: datetime | None
    source: str
    agreement: str


class Wishes(BaseModel):
    """What one user wishes."""

    callee: str = Field(description="Masked")
    home: str
    wishes: list[WishShown]


class DayShown(BaseModel):
    """Calls of one day (UTC) to users who have wishes on record."""

    day: date
    calls: int
    refused: int = Field(description="By their wishes: rule callee-refused")


class Statistics(BaseModel):
    """What wishes did for one operator's users."""

    home: str
    since: datetime
    until: datetime
    users: int = Field(description="With a wish in force")
    wishes: int = Field(description="In force")
    days: list[DayShown]


def router(context: Context) -> APIRouter:
    """`/wishes`."""
    routes = APIRouter(tags=["wishes"])
    changers = needs(*CHANGERS, Role.RESALE, scope=Scope.LISTS)

    @routes.post("/wishes", summary="A user declines calls; they are refused within a second")
    async def add(body: WishEvent, caller: Caller = changers) -> Changed:
        changed = await set_wish(
            context.engine, context.keys, body.callee, body.scope, body.value, body.band, agreement=body.agreement,
            principal=caller.name, home=caller.home(body.home), source=SOURCE, at=body.at,
        )  # fmt: skip
        return Changed(changed=changed, callee=mask(body.callee))

    @routes.post("/wishes/withdraw", summary="A user takes a wish back")
    async def withdraw(body: WishEvent, caller: Caller = changers) -> Changed:
        changed = await withdraw_wish(
            context.engine, context.keys, body.callee, body.scope, body.value, body.band, agreement=body.agreement,
            principal=caller.name, home=caller.home(body.home), source=SOURCE, at=body.at,
        )  # fmt: skip
        return Changed(changed=changed, callee=mask(body.callee))

    @routes.post("/wishes/lookup", summary="What one user wishes; withdrawn wishes too")
    async def lookup(body: WishLookup, caller: Caller = needs(*STAFF, Role.RESALE)) -> Wishes:
        home, number = caller.home(body.home), await canonical(context, body.callee)
        found = await wishes_of(context.engine, context.keys, number, principal=caller.name, home=home)
        return Wishes(callee=mask(number), home=home, wishes=[WishShown(**asdict(one)) for one in found])

    @routes.get("/wishes/statistics", summary="How many calls the wishes of one operator's users refused, by day")
    async def statistics(
        home: Annotated[HomeId, Query(description="Resale operator; empty: ours, or the token's own")] = "",
        since: Annotated[Time | None, Query(description=f"Default: {MAX_DAYS} days before `until`")] = None,
        until: Annotated[Time | None, Query(description="Default: now")] = None,
        caller: Caller = needs(*STAFF, Role.RESALE),
    ) -> Statistics:
        whose = caller.home(home)
        with mapped_errors():
            async with context.patient.connect() as connection:
                try:
                    found = await wish_statistics(connection, whose, since, until)
                except ValueError as error:
                    raise invalid("since", since, str(error)) from None
        days = [DayShown(day=one.day, calls=one.calls, refused=one.refused) for one in found.days]
        return Statistics(
            home=whose, since=found.since, until=found.until, users=found.users, wishes=found.wishes, days=days
        )

    return routes
