"""Decline feeds, versions of lists, and the way back. Files are uploaded to `/imports/feeds/{feed}`."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from gateway.control.api.caller import CHANGERS, STAFF, Caller, needs
from gateway.control.api.context import Context
from gateway.control.api.problems import ApiError
from gateway.control.api.types import Body, PathId, Time
from gateway.control.importer.feeds import MAX_AGE_S, MAX_SHRINK, define_feed, import_feed, list_feeds
from gateway.control.importer.problems import ImportReport
from gateway.control.importer.rollback import list_versions, roll_back
from gateway.store.sql.feeds import FeedState
from gateway.store.sql.tokens import Scope
from gateway.store.sql.versions import ListVersion

MAX_AGE_LIMIT_S = 366 * 86_400


class FeedShown(BaseModel):
    """A decline feed."""

    id: str
    version: int = Field(description="In force; 0: nothing was imported yet")
    issued_at: datetime | None
    imported_at: datetime | None
    rows: int
    max_age_s: int = Field(description="Stale when its version in force was issued longer ago")
    max_shrink: float = Field(description="Share of its rows a full version may drop")


class FeedLimits(Body):
    """What a feed may do."""

    max_age_s: Annotated[int, Field(ge=60, le=MAX_AGE_LIMIT_S)] = MAX_AGE_S
    max_shrink: Annotated[float, Field(ge=0, le=1)] = MAX_SHRINK


class VersionShown(BaseModel):
    """What one bulk import made of a list."""

    list: str = Field(examples=["consents:alpha", "feed:national"])
    version: int
    kind: str = Field(description="import, full or delta")
    name: str = Field(description="File name")
    principal: str
    at: datetime
    issued_at: datetime | None
    added: int
    changed: int
    rows: int
    state: Literal["in force", "rolled back"]
    undo: bool = Field(description="It can be undone")


class Back(Body):
    """Where to."""

    version: Annotated[int, Field(ge=0, le=2**63 - 1)]


class RollbackShown(BaseModel):
    """What was undone."""

    list: str
    version: int
    undone: tuple[int, ...]
    rows: int


class FeedReport(BaseModel):
    """What an import did, or would do."""

    rows: int
    added: int
    changed: int
    unchanged: int
    version: int
    dry_run: bool
    differences: tuple[str, ...]


def router(context: Context) -> APIRouter:
    """`/feeds`, `/lists`, `/imports/feeds`."""
    routes = APIRouter(tags=["lists"])

    @routes.get("/feeds", summary="Decline feeds: version in force, age, limits")
    async def feeds(caller: Caller = needs(*STAFF)) -> list[FeedShown]:
        return [_feed(one) for one in await list_feeds(context.engine)]

    @routes.put("/feeds/{feed}", summary="Make a feed known, or change its limits")
    async def define(
        feed: PathId, limits: FeedLimits, caller: Caller = needs(*CHANGERS, scope=Scope.LISTS)
    ) -> FeedShown:
        return _feed(await define_feed(context.engine, feed, caller.name, limits.max_age_s, limits.max_shrink))

    @routes.post("/imports/feeds/{feed}", summary="Take over a version of a feed: CSV or JSON Lines as the body")
    async def take(
        request: Request,
        feed: PathId,
        version: Annotated[int, Query(ge=1, le=2**63 - 1)],
        kind: Annotated[Literal["full", "delta"], Query()],
        issued_at: Annotated[Time | None, Query()] = None,
        allow_shrink: Annotated[bool, Query()] = False,
        dry_run: Annotated[bool, Query()] = False,
        caller: Caller = needs(*CHANGERS, scope=Scope.LISTS),
    ) -> FeedReport:
        async with _uploaded(request, context.settings.http.max_upload_mb << 20) as path:
            return _report(
                await import_feed(
                    context.patient, path, context.keys, caller.name, feed, version, full=kind == "full",
                    issued_at=issued_at, allow_shrink=allow_shrink, dry_run=dry_run, name=f"upload of {caller.name}",
                )
            )  # fmt: skip

    @routes.get("/lists/versions", summary="What bulk imports made of each list, newest first")
    async def versions(
        name: Annotated[str, Query(alias="list", max_length=80)] = "",
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
        caller: Caller = needs(*STAFF),
    ) -> list[VersionShown]:
        return [_version(one) for one in await list_versions(context.engine, name, limit)]

    @routes.post("/lists/{name}/rollback", summary="Bring a list back to an earlier version")
    async def back(name: PathId, to: Back, caller: Caller = needs(*CHANGERS, scope=Scope.LISTS)) -> RollbackShown:
        return RollbackShown(**asdict(await roll_back(context.patient, name, to.version, caller.name)))

    return routes


def _feed(state: FeedState) -> FeedShown:
    return FeedShown(**asdict(state))


def _version(one: ListVersion) -> VersionShown:
    return VersionShown(**{name: getattr(one, name) for name in VersionShown.model_fields})


def _report(report: ImportReport) -> FeedReport:
    return FeedReport(**{name: getattr(report, name) for name in FeedReport.model_fields})


@asynccontextmanager
async def _uploaded(request: Request, limit: int) -> AsyncIterator[Path]:
    """The body as a file without a name: it holds numbers in clear, and goes with this process, however that ends."""
    with tempfile.TemporaryFile() as file:
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise ApiError(413, "too-large", f"an upload has at most {limit} bytes (http.max_upload_mb)")
            await asyncio.to_thread(file.write, part)
        file.flush()
        yield Path(f"/proc/self/fd/{file.fileno()}")
