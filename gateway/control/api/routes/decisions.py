"""The evidence, as calls: found by decision, numbers, Call-ID and time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field, StringConstraints

from gateway.control.api.caller import EVERYONE, Caller, needs
from gateway.control.api.context import Context
from gateway.control.api.discreet import hides, shown_facts, shown_reason
from gateway.control.api.numbers import canonical
from gateway.control.api.paging import MAX_CURSOR, MAX_LIMIT, Page, Paging
from gateway.control.api.problems import invalid, not_found
from gateway.control.api.types import Body, PhoneNumber, Text, Time
from gateway.control.calls import Search, call_fields, place_of, search_calls
from gateway.store.sql.calls import CallRow

DAYS: Final = 7
"""How far back a search goes that names neither a time nor what an index finds."""

LAST_US: Final = 7_258_118_400_000_000
"""The year 2200 in epoch microseconds: a cursor beyond it is none of ours, and finds all."""

DecisionId = Annotated[str, StringConstraints(pattern="^[0-9a-f]{1,32}$")]


class CallSearch(Body):
    """Conditions narrow the search together. Without any number, id or `since`: the last seven days."""

    decision: DecisionId | None = Field(default=None, description="Decision id, or its beginning")
    caller: PhoneNumber | None = None
    callee: PhoneNumber | None = None
    call_id: Text | None = Field(default=None, description="The SIP Call-ID, exactly")
    since: Time | None = Field(default=None, description="Not before")
    until: Time | None = Field(default=None, description="Before")
    limit: int = Field(default=50, ge=1, le=MAX_LIMIT)
    cursor: str = Field(default="", max_length=MAX_CURSOR)


class Call(BaseModel):
    """A decision with the outcome and the end of its call. The subscriber's number is masked."""

    id: str
    at: str
    trunk: str
    direction: str
    caller: str
    callee: str
    verdict: str
    rule: str
    status: int
    reason: str
    outcome: str
    answered_at: str
    ended_at: str
    ended_by: str
    route: str
    call_id: str
    source: str
    identified: str
    pack: str
    registry: int
    decide_us: int
    lookup_us: int


class CallDetail(Call):
    """The same with the facts the rules saw."""

    facts: dict[str, Any] = Field(description="No subscriber number among them")
    shadow: list[str] = Field(description="Rules in shadow mode that would have refused")


def router(context: Context) -> APIRouter:
    """`/decisions`."""
    routes = APIRouter(tags=["decisions"])

    @routes.post("/decisions/search", summary="Calls in the evidence, newest first")
    async def search(body: CallSearch, caller: Caller = needs(*EVERYONE)) -> Page[Call]:
        if body.call_id == "":
            raise invalid("call_id", "", "leave it out, or give a Call-ID")
        paging = Paging(body.limit, body.cursor)
        after = paging.after(int, str)
        found = await search_calls(context.engine, context.keys, await _search(body, caller, after), body.limit + 1)
        return paging.page(found, lambda row: Call(**_fields(row, caller)), place_of)

    async def _search(body: CallSearch, caller: Caller, after: tuple[int | str, ...] | None) -> Search:
        numbers = {
            name: await canonical(context, number, name)
            for name, number in (("caller", body.caller), ("callee", body.callee))
            if number
        }
        since = body.since
        if since is None and not (numbers or body.decision or body.call_id):
            since = datetime.fromtimestamp(context.clock(), UTC) - timedelta(days=DAYS)
        before = (min(int(after[0]), LAST_US), str(after[1])) if after else None
        return Search(
            numbers.get("caller", ""), numbers.get("callee", ""), body.call_id or "", body.decision or "", since,
            body.until, caller.operator, before,
        )  # fmt: skip

    @routes.get("/decisions/{decision}", summary="One call, with the facts its rules saw")
    async def one(
        decision: Annotated[str, Path(pattern="^[0-9a-f]{16,32}$", description="Decision id, or its first 16 digits")],
        caller: Caller = needs(*EVERYONE),
    ) -> CallDetail:
        search = Search(decision=decision, operator=caller.operator)
        found = await search_calls(context.engine, context.keys, search, 1)
        if not found:
            raise not_found("decision", decision)
        facts = found[0].decision.facts
        return CallDetail(
            **_fields(found[0], caller),
            facts=shown_facts(caller, facts),
            shadow=[] if hides(caller, facts) else list(found[0].decision.shadow),
        )

    return routes


def _fields(row: CallRow, caller: Caller) -> dict[str, Any]:
    fields = call_fields(row)
    return {**fields, "reason": shown_reason(caller, row.decision.facts, fields["reason"])}
