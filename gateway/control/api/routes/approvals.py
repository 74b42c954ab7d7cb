"""Approvals: changes that two principals have to agree on."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from gateway.control import approvals
from gateway.control.api.caller import CHANGERS, EVERYONE, Caller, needs
from gateway.control.api.context import Context
from gateway.control.api.paging import Page, Paged
from gateway.control.api.problems import forbidden, not_found
from gateway.control.api.types import Body, RowId, Text
from gateway.store.sql.approvals import Approval
from gateway.store.sql.tokens import Scope


class ApprovalShown(BaseModel):
    """A change that waits for a second principal, or was decided."""

    id: int
    kind: str = Field(examples=["range.open-outbound"])
    subject: str
    payload: dict[str, Any] = Field(description="What it is made with; in lists without a file's text")
    reason: str
    operator: str = Field(description="Whose data it changes; empty: no one operator's")
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    state: Literal["pending", "approved", "rejected", "expired"]
    decided_by: str
    decided_at: datetime | None
    note: str


class Decision(Body):
    """Why it was allowed or turned down."""

    note: Text = ""


def shown(approval: Approval) -> ApprovalShown:
    """As the API tells it; routes that ask for an approval answer 202 with it."""
    return ApprovalShown(**{**asdict(approval), "payload": approval.told})


def router(context: Context) -> APIRouter:
    """`/approvals`."""
    routes = APIRouter(tags=["approvals"])

    @routes.get("/approvals", summary="Changes that wait for a second principal, and those that were decided")
    async def listing(
        paging: Paged,
        state: Annotated[Literal["pending", "approved", "rejected", "expired"] | None, Query()] = None,
        caller: Caller = needs(*EVERYONE),
    ) -> Page[ApprovalShown]:
        after = paging.after(int)
        rows = await approvals.find_approvals(
            context.engine,
            state=state,
            operator=caller.operator or None,
            before=int(after[0]) if after else None,
            limit=paging.limit + 1,
        )
        return paging.page(rows, shown, lambda row: (row.id,))

    @routes.get("/approvals/{number}", summary="One, with all it would be made with: a registry file's text too")
    async def one(number: RowId, caller: Caller = needs(*EVERYONE)) -> ApprovalShown:
        try:
            found = await approvals.find_approval(context.engine, number)
        except approvals.NoSuchApproval:
            raise not_found("approval", number) from None
        caller.must_see(found.operator, "approval", str(number))
        return ApprovalShown(**asdict(found))

    @routes.post("/approvals/{number}/approve", summary="Allow a change that another asked for; it is made at once")
    async def approve(
        number: RowId, decision: Decision, caller: Caller = needs(*CHANGERS, scope=Scope.REGISTRY)
    ) -> ApprovalShown:
        try:
            return shown(await approvals.approve(context.engine, number, caller.name, decision.note))
        except approvals.SamePerson as error:
            raise forbidden(str(error)) from None
        except approvals.NoSuchApproval:
            raise not_found("approval", number) from None

    @routes.post("/approvals/{number}/reject", summary="Turn a change down, or take back one's own")
    async def reject(
        number: RowId, decision: Decision, caller: Caller = needs(*CHANGERS, scope=Scope.REGISTRY)
    ) -> ApprovalShown:
        try:
            return shown(await approvals.reject(context.engine, number, caller.name, decision.note))
        except approvals.NoSuchApproval:
            raise not_found("approval", number) from None

    return routes
