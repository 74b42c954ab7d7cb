"""The audit trail: who changed what."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from gateway.control.api.caller import CHANGERS, Caller, needs
from gateway.control.api.context import Context
from gateway.control.api.paging import Page, Paged
from gateway.control.api.types import Id, Text, Time
from gateway.store.sql.audit import AuditRow, find_changes


class Change(BaseModel):
    """One row; the table is append-only."""

    id: int
    at: datetime
    principal: str = Field(description="Name of the token, or cli:user")
    action: str = Field(examples=["consent.revoke"])
    object: str
    detail: dict[str, Any] = Field(description="No subscriber number in it but a masked one")


def router(context: Context) -> APIRouter:
    """`/audit`."""
    routes = APIRouter(tags=["audit"])

    @routes.get("/audit", summary="Who changed what, newest first")
    async def changes(
        paging: Paged,
        principal: Annotated[Id | None, Query(description="By whom")] = None,
        action: Annotated[Id | None, Query(description="What, or its beginning: consent")] = None,
        subject: Annotated[Text | None, Query(alias="object", description="To what, exactly")] = None,
        since: Annotated[Time | None, Query()] = None,
        until: Annotated[Time | None, Query()] = None,
        _: Caller = needs(*CHANGERS),
    ) -> Page[Change]:
        after = paging.after(int)
        rows = await find_changes(
            context.engine,
            principal=principal,
            action=action,
            subject=subject,
            since=since,
            until=until,
            before=int(after[0]) if after else None,
            limit=paging.limit + 1,
        )
        return paging.page(rows, _shown, lambda row: (row.id,))

    return routes


def _shown(row: AuditRow) -> Change:
    return Change(
        id=row.id, at=row.at, principal=row.principal, action=row.action, object=row.object, detail=row.detail
    )
