"""Bulk imports: a file is uploaded, checked whole, and takes effect in one step, or not at all."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from gateway.control.api.caller import CHANGERS, EVERYONE, Caller, needs
from gateway.control.api.context import Context
from gateway.control.api.paging import Page, Paged
from gateway.control.api.problems import ApiError, FieldProblem, field_problem, forbidden, invalid, not_found
from gateway.control.api.spool import Spool, Wanted
from gateway.control.api.types import RowId
from gateway.store.sql.tokens import Role, Scope
from gateway.store.sql.uploads import FAILED, REFUSED, RUNNING, Upload, find_uploads

FileName = Annotated[str, Query(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", description="For problems and the audit")]
Kind = Literal["consents", "refusals", "registry", "ranges", "pack"]
SCOPES = {"consents": Scope.LISTS, "refusals": Scope.LISTS, "registry": Scope.REGISTRY, "ranges": Scope.REGISTRY,
          "pack": Scope.REGISTRY}
CONTENT = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": {"type": "string", "format": "binary"}},
            "application/toml": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


class Import(BaseModel):
    """An uploaded file and what came of it."""

    id: int
    kind: str
    name: str
    sha256: str
    principal: str
    operator: str = Field(description="Whose token brought it; empty: the staff's")
    dry_run: bool
    state: Literal["running", "done", "refused", "failed"]
    rows: int
    changed: int = Field(description="Rows that changed something; a dry run changes nothing")
    version: int = Field(description="Registry version after it; 0: not a registry's matter")
    detail: str
    problems: list[FieldProblem]
    started_at: datetime
    finished_at: datetime | None


def router(context: Context) -> APIRouter:
    """`/imports`."""
    routes = APIRouter(tags=["imports and exports"])
    spool = Spool(context)

    @routes.post(
        "/imports/{kind}",
        summary="Upload a file (the body): consents, refusals and ranges as CSV, registry and pack as TOML",
        description="Waits up to 5 s for the import; 202: it goes on, ask `/imports/{number}`. A file that is sent "
        "again changes nothing; no Idempotency-Key is needed.",
        responses={202: {"model": Import, "description": "It goes on"}},
        openapi_extra=CONTENT,
    )
    async def upload(
        kind: Kind,
        request: Request,
        response: Response,
        name: FileName = "upload",
        dry_run: Annotated[bool, Query(description="Check it against what is stored, change nothing")] = False,
        instead: Annotated[str, Query(max_length=64, description="Of a pack: the one in force that it replaces")] = "",
        caller: Caller = needs(*CHANGERS, Role.OPERATOR),
    ) -> Import:
        if caller.operator and kind != "consents":
            raise forbidden("an operator's token uploads consents alone")
        caller.must_have(SCOPES[kind])
        if instead and kind != "pack":
            raise invalid("instead", instead, "a pack alone comes in the place of another: leave it out")
        wanted = Wanted(kind, name, caller.name, caller.operator, dry_run, instead)
        found = await spool.take(wanted, request.stream())
        response.headers["Location"] = f"/api/v1/imports/{found.id}"
        if found.state in (REFUSED, FAILED):
            raise ApiError(
                422 if found.state == REFUSED else 503, "invalid" if found.state == REFUSED else "unavailable",
                f"import {found.id}: {found.detail}", [_problem(one) for one in found.problems],
                {"Location": f"/api/v1/imports/{found.id}"},
            )  # fmt: skip
        response.status_code = 202 if found.state == RUNNING else 200
        return _shown(found)

    @routes.get("/imports", summary="Uploads, newest first")
    async def listing(paging: Paged, caller: Caller = needs(*EVERYONE)) -> Page[Import]:
        after = paging.after(int)
        rows = await find_uploads(
            context.engine,
            operator=caller.operator or None,
            before=int(after[0]) if after else None,
            limit=paging.limit + 1,
        )
        return paging.page(rows, _shown, lambda row: (row.id,))

    @routes.get("/imports/{number}", summary="What came of an upload")
    async def one(number: RowId, caller: Caller = needs(*EVERYONE)) -> Import:
        rows = await find_uploads(context.engine, upload_id=number, operator=caller.operator or None, limit=1)
        if not rows:
            raise not_found("import", number)
        return _shown(rows[0])

    return routes


def _problem(one: dict[str, Any]) -> FieldProblem:
    return field_problem(one["field"], one["value"], one["fix"], one["line"])


def _shown(upload: Upload) -> Import:
    return Import(**{**asdict(upload), "problems": [_problem(one) for one in upload.problems]})
