"""Tokens: made once, shown once."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field, StringConstraints

from gateway.control.api.caller import Caller, needs
from gateway.control.api.context import Context
from gateway.control.api.paging import Page, Paged
from gateway.control.api.problems import not_found
from gateway.control.api.types import Body, HomeId, Id, PathId, Time
from gateway.store.sql.tokens import MAX_NAME, Role, Scope, TokenRow, create_token, list_tokens, revoke_token


class NewToken(Body):
    """Whom it is for, and what it may do."""

    name: Annotated[Id, StringConstraints(max_length=MAX_NAME)] = Field(description="Stands in the audit trail; unique")
    person: Annotated[Id, StringConstraints(max_length=MAX_NAME)] | None = Field(
        default=None, description="Who holds it; default: its name. Where two have to agree, a person counts once"
    )
    role: Role
    operator: Id | None = Field(default=None, description="Role operator: whose data it reads and changes")
    home: HomeId = Field(default="", description="Role resale: the resale operator whose users' wishes it is for")
    scopes: list[Scope] = Field(default_factory=list, max_length=len(Scope), description="Default: all but reveal")
    expires_at: Time | None = Field(default=None, description="Default: never")


class MadeToken(BaseModel):
    """The one time it is shown."""

    name: str
    token: str = Field(description="Keep it: only its hash is stored")


class Token(BaseModel):
    """A token, without itself."""

    id: int
    name: str
    person: str = Field(description="Who holds it")
    role: str
    operator: str
    home: str
    scopes: list[str]
    principal: str = Field(description="Who made it")
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def router(context: Context) -> APIRouter:
    """`/tokens`."""
    routes = APIRouter(tags=["tokens"])
    admin = needs(Role.ADMIN, scope=Scope.ADMIN)

    @routes.post("/tokens", status_code=201, summary="Make a token; the answer alone holds it")
    async def create(body: NewToken, response: Response, caller: Caller = admin) -> MadeToken:
        token = await create_token(
            context.engine, body.name, body.role, caller.name, person=body.person or "",
            operator=body.operator or "", home=body.home, scopes=body.scopes, expires_at=body.expires_at,
        )  # fmt: skip
        response.headers["Cache-Control"] = "no-store"
        return MadeToken(name=body.name, token=token)

    @routes.get("/tokens", summary="Tokens by name, those that ended too")
    async def listing(paging: Paged, _: Caller = admin) -> Page[Token]:
        after = paging.after(str)
        rows = await list_tokens(context.engine, str(after[0]) if after else "", paging.limit + 1)
        return paging.page(rows, _shown, lambda row: (row.name,))

    @routes.delete("/tokens/{name}", status_code=204, summary="Make a token worthless, at once")
    async def revoke(name: PathId, caller: Caller = admin) -> None:
        if not await revoke_token(context.engine, name, caller.name):
            raise not_found("live token", name)

    return routes


def _shown(row: TokenRow) -> Token:
    return Token(**{**asdict(row), "scopes": list(row.scopes)})
