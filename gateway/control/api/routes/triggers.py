"""Triggers: what a callee did that a return visit may answer (RULES A06)."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter
from pydantic import BaseModel, Field

from gateway.control.api.caller import CHANGERS, Caller, needs
from gateway.control.api.context import Context
from gateway.control.api.numbers import canonical
from gateway.control.api.problems import invalid, not_found
from gateway.control.api.types import Body, Id, PhoneNumber, Time
from gateway.control.importer.subscriber import Subscribers, keys_in_force
from gateway.registry.numbering import mask
from gateway.store.ports import Unavailable
from gateway.store.redis import counters
from gateway.store.redis.client import question
from gateway.store.redis.deployment import AnyLink, connect, link_to
from gateway.store.redis.names import PLACE_SHIFT
from gateway.store.sql import audit, registry_rows
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.tokens import Role, Scope

KEEP_S: Final = 30 * 86_400
"""How long a trigger is kept where nobody says; a pack's window is what counts."""
LATE_S: Final = 300.0
"""A time ahead of ours by more than this is refused."""
ASK_S: Final = 2.0


class Trigger(Body):
    """The callee did something that leads to a return visit: a transaction, an order, a call elsewhere."""

    operator: Id
    callee: PhoneNumber
    at: Time | None = Field(default=None, description="When; default now")
    keep_s: Annotated[int, Field(ge=1, le=366 * 86_400, description="How long it is kept")] = KEEP_S


class Triggered(BaseModel):
    """What was recorded."""

    operator: str
    callee: str = Field(description="Masked")


def router(context: Context) -> APIRouter:
    """`/triggers`."""
    routes = APIRouter(tags=["triggers"])
    links: list[AnyLink] = []

    @routes.post("/triggers", status_code=201, summary="Something a return visit may answer")
    async def add(body: Trigger, caller: Caller = needs(*CHANGERS, Role.OPERATOR, scope=Scope.LISTS)) -> Triggered:
        if caller.operator:
            caller.must_own(body.operator)
        now = context.clock()
        at = body.at.timestamp() if body.at is not None else now
        if at > now + LATE_S:
            raise invalid("at", str(body.at), "write a time that is past")
        number = await canonical(context, body.callee)
        with mapped_errors():
            async with context.engine.begin() as connection:
                rows = await registry_rows.operators(connection, row_id=body.operator)
                if not rows:
                    raise not_found("operator", body.operator)
                detail = {"callee": mask(number), "at": at}
                await audit.record(connection, caller.name, "trigger.add", body.operator, detail)
                subscribers = Subscribers(await keys_in_force(connection, context.keys))
                party = subscribers.hash(number)
                await _write(context, links, party, int(rows[0].number), at, body.keep_s)
        return Triggered(operator=body.operator, callee=mask(number))

    return routes


async def _write(context: Context, links: list[AnyLink], party: bytes, operator: int, at: float, keep_s: int) -> None:
    """Into Redis, where the calls look for it. Raises Unavailable: then nothing is recorded."""
    if not links:
        link, _ = connect(context.settings.redis.url, ASK_S)
        running = asyncio.ensure_future(link.run())

        def close() -> None:
            running.cancel()

        context.closers.append(close)
        links.append(link)
    try:
        async with asyncio.timeout(ASK_S):
            while not links[0].connected:  # noqa: ASYNC110 - it has just been made, or is away
                await asyncio.sleep(0.01)
            link_of = link_to(links[0], int.from_bytes(party, "big") >> PLACE_SHIFT)
            if link_of is None:
                raise Unavailable("redis: no master for this callee")
            words = counters.note_trigger(party, operator, at, keep_s)
            reply = (await question(link_of, [words], asyncio.get_running_loop()))[0]
    except (OSError, TimeoutError) as error:
        raise Unavailable(f"redis: {links[0].down_reason or error or 'no answer'}") from error
    if isinstance(reply, Exception):
        raise Unavailable(f"redis: {reply}")
