"""Rule packs: stored, in force, in force at a time; withdrawn. They come by `imports/pack`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from gateway.control.api.caller import CHANGERS, STAFF, Caller, needs
from gateway.control.api.context import Context
from gateway.control.api.paging import Page, Paged
from gateway.control.api.types import PathId, Time
from gateway.control.importer.packs import withdraw_pack
from gateway.control.packs import headline, packs_in_force
from gateway.store.sql import packs as sql
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.tokens import Scope

LAST_VERSION: Final = 2**31 - 1
"""Of a pack: the column's."""


class Pack(BaseModel):
    """A stored rule pack."""

    id: str
    version: int
    sha256: str
    principal: str = Field(description="Who imported it")
    imported_at: datetime
    in_force: bool
    since: datetime | None = Field(description="Since when it is in force; null: it is not")
    binds: str = Field(description="Whose calls it judges: trunks, classes of operators, or `default`")


class InForce(BaseModel):
    """A rule pack in force, now or then."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    version: int
    title: str
    classes: tuple[str, ...] = Field(description="Operator classes whose calls it judges")
    trunks: tuple[str, ...] = Field(description="Trunks whose calls it judges, before classes; neither: the default")
    since: datetime
    until: datetime | None = Field(description="null: it is in force")
    principal: str = Field(description="Who put it in force")
    reason: str
    approver: str = Field(description="Who agreed, where that was said")


class Rules(BaseModel):
    """All packs in force at one time; at most 64."""

    packs: list[InForce]


class Withdrawn(BaseModel):
    """What a withdrawal made."""

    version: int = Field(description="Registry version after it")


def router(context: Context) -> APIRouter:
    """`/packs`."""
    routes = APIRouter(tags=["registry"])
    staff = needs(*STAFF)

    @routes.get("/packs", summary="Stored rule packs, and which are in force")
    async def stored(paging: Paged, _: Caller = staff) -> Page[Pack]:
        after = paging.after(str, int)
        before = (str(after[0]), min(int(after[1]), LAST_VERSION)) if after else None
        with mapped_errors():
            async with context.engine.connect() as connection:
                rows = await sql.stored_packs(connection, before, paging.limit + 1)
        return paging.page(rows, _shown, lambda row: (row.id, row.version))

    @routes.get("/packs/in-force", summary="Which rules are in force, or were at a time")
    async def in_force(
        at: Annotated[Time | None, Query(description="Default: now")] = None, _: Caller = staff
    ) -> Rules:
        with mapped_errors():
            async with context.engine.connect() as connection:
                found = await packs_in_force(connection, at)
        return Rules(packs=[InForce.model_validate(one) for one in found])

    @routes.post("/packs/{pack}/withdraw", summary="Take a pack out of force; the default is only replaced (imports)")
    async def withdraw(pack: PathId, caller: Caller = needs(*CHANGERS, scope=Scope.REGISTRY)) -> Withdrawn:
        return Withdrawn(version=await withdraw_pack(context.patient, pack, caller.name))

    return routes


def _shown(row: sql.PackRow) -> Pack:
    return Pack(
        id=row.id, version=row.version, sha256=row.sha256, principal=row.principal, imported_at=row.imported_at,
        in_force=row.in_force, since=row.since, binds=str(headline(row.text)[1]),
    )  # fmt: skip
