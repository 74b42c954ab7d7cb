"""Next hops of the trunks: whether they get calls; draining one by hand."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from gateway.control.api.caller import CHANGERS, STAFF, Caller, needs
from gateway.control.api.context import Context
from gateway.control.api.problems import ApiError, field_problem
from gateway.control.api.types import Body, Id, Text
from gateway.control.importer.drain import NoSuchPeer, drain_peer
from gateway.store.sql.tokens import Scope
from gateway.telemetry.metrics import NAMES


class Peer(BaseModel):
    """One next hop, as this node's workers see it."""

    trunk: str
    peer: str
    state: Literal["up", "down", "drained"]


class Peers(BaseModel):
    """All of them; empty while no worker answers."""

    peers: list[Peer]


class Hop(Body):
    """Which next hop."""

    peer: Text = Field(min_length=1, description="As in the registry", examples=["127.0.0.9:5060"])
    trunk: Id | None = Field(default=None, description="Only this trunk's; default: every trunk's")


class Drained(BaseModel):
    """What that changed."""

    trunks: list[str] = Field(description="Trunks in which it changed something")


def router(context: Context) -> APIRouter:
    """`/peers`."""
    routes = APIRouter(tags=["peers"])
    change = needs(*CHANGERS, scope=Scope.REGISTRY)

    @routes.get("/peers", summary="Next hops: up, down or drained")
    async def listing(_: Caller = needs(*STAFF)) -> Peers:
        await context.hub.refresh()
        drained = {labels for labels, value in context.hub.samples(NAMES["callgate_peer_drained"]) if value > 0}
        found: list[Peer] = []
        for (trunk, peer), up in context.hub.samples(NAMES["callgate_peer_up"]):
            state: Literal["up", "down", "drained"] = "up" if up > 0 else "down"
            found.append(Peer(trunk=trunk, peer=peer, state="drained" if (trunk, peer) in drained else state))
        return Peers(peers=found)

    @routes.post("/peers/drain", summary="Send no new call to a next hop, on any node")
    async def drain(body: Hop, caller: Caller = change) -> Drained:
        return await _change(context, body, True, caller)

    @routes.post("/peers/undrain", summary="Put a next hop back into use")
    async def undrain(body: Hop, caller: Caller = change) -> Drained:
        return await _change(context, body, False, caller)

    return routes


async def _change(context: Context, hop: Hop, drained: bool, caller: Caller) -> Drained:
    try:
        return Drained(trunks=await drain_peer(context.engine, hop.peer, hop.trunk or "", drained, caller.name))
    except NoSuchPeer as error:
        problem = field_problem("peer", hop.peer, "name one of the registry's next hops")
        raise ApiError(404, "not-found", str(error), [problem]) from None
