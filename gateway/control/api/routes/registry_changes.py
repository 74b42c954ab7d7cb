"""Operators, tenants, trunks and number ranges changed, one at a time (`registry` shows them).

What opens outbound calls answers 202 with an approval: a second principal makes it. What else is missing for it, all of
it, is told at once (409)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

from fastapi import APIRouter, Path
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.control import approvals
from gateway.control.api import registry_models as models
from gateway.control.api.caller import CHANGERS, EVERYONE, Caller, needs
from gateway.control.api.context import Context
from gateway.control.api.paging import Page, Paged, Paging
from gateway.control.api.problems import invalid, not_found
from gateway.control.api.routes.approvals import ApprovalShown, shown
from gateway.control.api.types import Body, Id, PathId, Time, Words
from gateway.control.registry_admin import By, Changed, changing, put_row, set_range_state, suspend
from gateway.control.registry_admin.life import Activated
from gateway.control.registry_admin.rows import NoSuchRow
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.registry_find import find_rows
from gateway.store.sql.tokens import Scope

ACTIVATED: Final[tuple[Activated, ...]] = get_args(Activated)


class StateChange(Body):
    """A state from a time on; it may lie ahead, and holds from that second. `enabled` is asked for by enable."""

    state: Literal["filed", "suspended", "recalled"]
    at: Time | None = None
    reason: Words


class Enabling(Body):
    """From when a number range is enabled; null: from now."""

    at: Time | None = None
    reason: Words


class _Rows:
    """What the routes of all four kinds do."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def page(self, kind: str, paging: Paging, caller: Caller) -> list[Any]:
        after = paging.after(str)
        with mapped_errors():
            async with self._context.engine.connect() as connection:
                return await find_rows(
                    connection, kind, after=str(after[0]) if after else "", operator=caller.operator,
                    limit=paging.limit + 1,
                )  # fmt: skip

    async def one(self, kind: str, row_id: str, caller: Caller) -> Any:
        with mapped_errors():
            async with self._context.engine.connect() as connection:
                found = await find_rows(connection, kind, row_id=row_id, limit=1)
        if not found:
            raise not_found(kind, row_id)
        caller.must_see(found[0].id if kind == "operator" else found[0].operator, kind, row_id)
        return found[0]

    async def put(self, kind: str, row_id: str, body: Body, caller: Caller) -> models.ChangedShown:
        values = body.model_dump(exclude_unset=True, by_alias=True)

        async def work(connection: AsyncConnection) -> Changed:
            return await put_row(connection, kind, row_id, values, By(caller.name))

        return models.changed_shown(await changing(self._context.patient, work))

    async def suspend(self, kind: Activated, row_id: str, reason: str, caller: Caller) -> models.ChangedShown:
        async def work(connection: AsyncConnection) -> Changed:
            return await suspend(connection, kind, row_id, By(caller.name, reason))

        return models.changed_shown(await self.change(kind, row_id, work))

    async def change(self, kind: str, row_id: str, work: Any) -> Changed:
        try:
            changed: Changed = await changing(self._context.patient, work)
        except NoSuchRow:
            raise not_found(kind, row_id) from None
        return changed

    async def ask(
        self, approval: str, kind: str, row_id: str, reason: str, caller: Caller, payload: Mapping[str, object]
    ) -> ApprovalShown:
        """Ask for an opening; what is missing for it is told at once, not to the second person."""
        row = await self.one(kind, row_id, caller)
        owner = row.id if kind == "operator" else row.operator
        return shown(
            await approvals.request(
                self._context.patient, approval, row_id, payload, reason, caller.name, operator=owner or ""
            )
        )


def router(context: Context) -> APIRouter:
    """Changes of `/operators`, `/tenants`, `/trunks`, `/ranges`."""
    routes = APIRouter(tags=["registry"])
    rows = _Rows(context)

    @routes.patch("/operators/{operator}", summary="Make or change an operator; a new one is suspended")
    async def put_operator(
        operator: PathId, body: models.OperatorPatch, caller: Caller = needs(*CHANGERS, scope=Scope.REGISTRY)
    ) -> models.ChangedShown:
        return await rows.put("operator", operator, body, caller)

    @routes.get("/tenants", summary="Tenants of seat rentals")
    async def tenants(paging: Paged, caller: Caller = needs(*EVERYONE)) -> Page[models.TenantShown]:
        found = await rows.page("tenant", paging, caller)
        return paging.page(found, models.TenantShown.of, lambda row: (row.id,))

    @routes.patch("/tenants/{tenant}", summary="Make or change a tenant; a new one is suspended")
    async def put_tenant(
        tenant: PathId, body: models.TenantPatch, caller: Caller = needs(*CHANGERS, scope=Scope.REGISTRY)
    ) -> models.ChangedShown:
        return await rows.put("tenant", tenant, body, caller)

    @routes.patch("/trunks/{trunk}", summary="Make or change a trunk; a new one is suspended")
    async def put_trunk(
        trunk: PathId, body: models.TrunkPatch, caller: Caller = needs(*CHANGERS, scope=Scope.REGISTRY)
    ) -> models.ChangedShown:
        return await rows.put("trunk", trunk, body, caller)

    @routes.patch("/ranges/{number_range}", summary="Make or change a number range")
    async def put_range(
        number_range: PathId, body: models.RangePatch, caller: Caller = needs(*CHANGERS, scope=Scope.REGISTRY)
    ) -> models.ChangedShown:
        if body.outbound:
            raise invalid("outbound", True, f"ask for it: POST /ranges/{number_range}/open-outbound")
        return await rows.put("range", number_range, body, caller)

    @routes.post("/ranges/{number_range}/state", summary="Put a number range into a state, now or later")
    async def state(
        number_range: PathId, body: StateChange, caller: Caller = needs(*CHANGERS, scope=Scope.REGISTRY)
    ) -> models.ChangedShown:
        async def work(connection: AsyncConnection) -> Changed:
            at = body.at.timestamp() if body.at else 0.0
            return await set_range_state(connection, number_range, body.state, By(caller.name, body.reason), at)

        return models.changed_shown(await rows.change("range", number_range, work))

    @routes.post("/ranges/{number_range}/enable", status_code=202, summary="Ask for a number range to be enabled")
    async def enable(
        number_range: PathId, body: Enabling, caller: Caller = needs(*CHANGERS, scope=Scope.REGISTRY)
    ) -> ApprovalShown:
        at = body.at.timestamp() if body.at else 0.0
        return await rows.ask("range.enable", "range", number_range, body.reason, caller, {"from": at})

    @routes.post("/ranges/{number_range}/open-outbound", status_code=202, summary="Ask for a number range to call out")
    async def open_range(
        number_range: PathId, body: models.Reason, caller: Caller = needs(*CHANGERS, scope=Scope.REGISTRY)
    ) -> ApprovalShown:
        return await rows.ask("range.open-outbound", "range", number_range, body.reason, caller, {})

    @routes.post("/trunks/{trunk}/open-outbound", status_code=202, summary="Ask for outbound calls from a trunk")
    async def open_trunk(
        trunk: PathId, body: models.Reason, caller: Caller = needs(*CHANGERS, scope=Scope.REGISTRY)
    ) -> ApprovalShown:
        return await rows.ask("trunk.open-outbound", "trunk", trunk, body.reason, caller, {})

    for kind in ACTIVATED:
        _add_states(routes, rows, kind)
    return routes


def _add_states(routes: APIRouter, rows: _Rows, kind: Activated) -> None:
    """`activate` and `suspend` of a kind."""
    name = f"an {kind}" if kind == "operator" else f"a {kind}"
    path, named = f"/{kind}s/{{{kind}}}", Path(alias=kind)

    @routes.post(f"{path}/activate", status_code=202, name=f"activate_{kind}", summary=f"Ask for {name} to be active")
    async def activate(
        body: models.Reason, row_id: Id = named, caller: Caller = needs(*CHANGERS, scope=Scope.REGISTRY)
    ) -> ApprovalShown:
        return await rows.ask("registry.activate", kind, row_id, body.reason, caller, {"kind": kind})

    @routes.post(f"{path}/suspend", name=f"suspend_{kind}", summary=f"Take {name} out of use; calls that are up go on")
    async def suspended(
        body: models.Reason, row_id: Id = named, caller: Caller = needs(*CHANGERS, scope=Scope.REGISTRY)
    ) -> models.ChangedShown:
        return await rows.suspend(kind, row_id, body.reason, caller)
