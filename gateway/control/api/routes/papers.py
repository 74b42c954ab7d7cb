"""Documents, restrictions, the report on papers, and registry versions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.control import approvals
from gateway.control.api import registry_models as models
from gateway.control.api.caller import CHANGERS, EVERYONE, STAFF, Caller, needs
from gateway.control.api.context import Context
from gateway.control.api.paging import MAX_LIMIT, Page, Paged
from gateway.control.api.problems import not_found
from gateway.control.api.routes.approvals import ApprovalShown, shown
from gateway.control.api.types import Body, Id, PathId, RowId, Time, Words
from gateway.control.registry_admin import (
    By,
    Changed,
    changing,
    check_report,
    difference,
    record_document,
    restrict,
    say_of,
)
from gateway.control.registry_admin.restrict import NoSuchRestriction
from gateway.store.sql.documents import find_documents
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.registry_versions import VersionGone, version_rows
from gateway.store.sql.restrictions import RestrictionRow, Said, restriction_rows
from gateway.store.sql.tokens import Scope


class Restricting(Body):
    """Refuse outbound calls of a subject; inbound goes on."""

    kind: Literal["operator", "trunk", "number"]
    subject: Id
    reason: Words
    since: Time | None = Field(default=None, description="null: now")
    until: Time | None = Field(default=None, description="null: until it is lifted")


class RestrictionShown(BaseModel):
    """A restriction."""

    id: int
    kind: str
    subject: str
    reason: str
    since: datetime | None
    until: datetime | None
    principal: str
    lifted_by: str
    approver: str
    lift_reason: str
    ladder: bool = Field(description="Made by the count of violations, not by a person")
    notice: str = Field(description="What whom it concerns was told")
    notice_at: datetime | None
    appeal: str = Field(description="What they said against it")
    appeal_at: datetime | None


class IssueShown(BaseModel):
    """Something wrong with papers."""

    clause: str
    level: Literal["bar", "hold", "late", "note"] = Field(
        description="Refuses calls; keeps from activation; refuses calls where the pack says so; is noted"
    )
    kind: str
    subject: str
    text: str


class ExpiringShown(BaseModel):
    """Something that ends soon."""

    what: str
    operator: str
    ends: datetime | None
    days: int = Field(description="Within 60, 30 or 7; 0: it has ended")


class ReportShown(BaseModel):
    """The report on papers."""

    version: int
    at: datetime | None
    bars: int = Field(description="Issues that refuse calls now")
    others: int = Field(description="Issues that refuse none; `issues` lists the first thousand of both")
    issues: list[IssueShown]
    expiring: list[ExpiringShown]
    commitments: list[str] = Field(description="Licences that stand on a free-trade zone's commitment")


class VersionShown(BaseModel):
    """A change of the registry."""

    version: int
    at: datetime | None
    principal: str
    action: str
    subject: str
    reason: str
    approver: str
    changed: int


class DifferenceShown(BaseModel):
    """One field of one row, before and after."""

    kind: str
    id: str
    field: str
    before: str
    after: str


class Rollback(Body):
    """The version to put back, as a new one."""

    version: Annotated[int, Field(ge=0)]
    reason: Words
    allow_shrink: bool = False


def router(context: Context) -> APIRouter:
    """`/documents`, `/restrictions`, `/registry/…`."""
    routes = APIRouter(tags=["registry"])

    @routes.get("/documents", summary="Documents")
    async def documents(
        paging: Paged,
        operator: Annotated[Id | None, Query()] = None,
        kind: Annotated[models.DocumentKind | None, Query()] = None,
        caller: Caller = needs(*EVERYONE),
    ) -> Page[models.DocumentShown]:
        if operator:
            caller.must_own(operator)
        after = paging.after(str)
        with mapped_errors():
            async with context.engine.connect() as connection:
                rows = await find_documents(
                    connection, after=str(after[0]) if after else "", operator=operator or caller.operator,
                    kind=kind or "", limit=paging.limit + 1,
                )  # fmt: skip
        return paging.page(rows, models.DocumentShown.of, lambda row: (row.id,))

    @routes.get("/documents/{document}", summary="One document")
    async def document(document: PathId, caller: Caller = needs(*EVERYONE)) -> models.DocumentShown:
        with mapped_errors():
            async with context.engine.connect() as connection:
                rows = await find_documents(connection, row_id=document, limit=1)
        if not rows:
            raise not_found("document", document)
        caller.must_see(rows[0].operator, "document", document)
        return models.DocumentShown.of(rows[0])

    @routes.post("/documents", status_code=201, summary="Record a document; it is never changed")
    async def record(
        body: models.DocumentIn, caller: Caller = needs(*CHANGERS, scope=Scope.REGISTRY)
    ) -> models.ChangedShown:
        async def work(connection: AsyncConnection) -> Changed:
            return await record_document(connection, body.values(), By(caller.name))

        return models.changed_shown(await changing(context.patient, work))

    @routes.get("/restrictions", summary="Restrictions in force or to come")
    async def restrictions(
        ended: Annotated[bool, Query(description="The past ones too")] = False,
        _: Caller = needs(*STAFF),
    ) -> list[RestrictionShown]:
        with mapped_errors():
            async with context.engine.connect() as connection:
                rows = await restriction_rows(connection, ended)
        return [_restriction(row) for row in rows[:MAX_LIMIT]]

    @routes.post("/restrictions", status_code=201, summary="Refuse outbound calls of an operator, trunk or number")
    async def add(
        body: Restricting, caller: Caller = needs(*CHANGERS, scope=Scope.REGISTRY)
    ) -> models.ChangedShown:
        async def work(connection: AsyncConnection) -> tuple[int, Changed]:
            since, until = (at.timestamp() if at else 0.0 for at in (body.since, body.until))
            return await restrict(connection, body.kind, body.subject, By(caller.name, body.reason), since, until)

        made, changed = await changing(context.patient, work)
        return models.changed_shown(changed, made)

    @routes.post("/restrictions/{number}/lift", status_code=202, summary="Ask for a restriction to be lifted")
    async def lift(
        number: RowId, body: models.Reason, caller: Caller = needs(*CHANGERS, scope=Scope.REGISTRY)
    ) -> ApprovalShown:
        with mapped_errors():
            async with context.engine.connect() as connection:
                if not any(row.id == number for row in await restriction_rows(connection)):
                    raise not_found("restriction", number)
        return shown(
            await approvals.request(context.patient, "restriction.lift", str(number), {}, body.reason, caller.name)
        )

    @routes.post("/restrictions/{number}/notice", status_code=204, summary="Whom it concerns was told of it")
    async def notice(
        number: RowId, body: models.Reason, caller: Caller = needs(*CHANGERS, scope=Scope.REGISTRY)
    ) -> None:
        await said_of(number, "notice", body.reason, caller)

    @routes.post("/restrictions/{number}/appeal", status_code=204, summary="Whom it concerns says why it is wrong")
    async def appeal(
        number: RowId, body: models.Reason, caller: Caller = needs(*CHANGERS, scope=Scope.REGISTRY)
    ) -> None:
        await said_of(number, "appeal", body.reason, caller)

    async def said_of(number: int, what: Said, words: str, caller: Caller) -> None:
        async def work(connection: AsyncConnection) -> None:
            await say_of(connection, number, what, By(caller.name, words))

        try:
            await changing(context.patient, work)
        except NoSuchRestriction:
            raise not_found("restriction", number) from None

    @routes.get("/registry/check", summary="What is wrong with papers, and what ends soon")
    async def check(
        at: Annotated[Time | None, Query(description="As of a time; else now")] = None, _: Caller = needs(*STAFF)
    ) -> ReportShown:
        with mapped_errors():
            async with context.patient.connect() as connection:
                report = await check_report(connection, at.timestamp() if at else 0.0)
        return ReportShown(
            version=report.version,
            at=models.moment(report.at),
            bars=report.bars,
            others=report.others,
            issues=[
                IssueShown(clause=one.clause, level=one.level, kind=one.kind, subject=one.subject, text=one.text)
                for one in report.issues
            ],
            expiring=[
                ExpiringShown(what=one.what, operator=one.operator, ends=models.moment(one.ends), days=one.days)
                for one in report.expiring
            ],
            commitments=[one.id for one in report.commitments],
        )

    @routes.get("/registry/versions", summary="Changes of the registry, newest first")
    async def versions(
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50, _: Caller = needs(*STAFF)
    ) -> list[VersionShown]:
        with mapped_errors():
            async with context.engine.connect() as connection:
                rows = await version_rows(connection, limit)
        return [
            VersionShown(
                version=row.version, at=models.moment(row.at), principal=row.principal, action=row.action,
                subject=row.subject, reason=row.reason, approver=row.approver, changed=row.changed,
            )
            for row in rows
        ]  # fmt: skip

    @routes.get("/registry/versions/{number}/diff", summary="What differs between a version and another, or now")
    async def diff(
        number: RowId, to: Annotated[int, Query(ge=0, description="0: now")] = 0, _: Caller = needs(*STAFF)
    ) -> list[DifferenceShown]:
        try:
            with mapped_errors():
                async with context.patient.connect() as connection:
                    found = await difference(connection, number, to)
        except VersionGone:
            raise not_found("version", number) from None
        return [
            DifferenceShown(kind=one.kind, id=one.id, field=one.field, before=one.before, after=one.after)
            for one in found
        ]

    @routes.post("/registry/rollback", status_code=202, summary="Ask for an old version to be put back")
    async def rollback(
        body: Rollback, caller: Caller = needs(*CHANGERS, scope=Scope.REGISTRY)
    ) -> ApprovalShown:
        payload = {"allow_shrink": body.allow_shrink}
        return shown(
            await approvals.request(
                context.patient, "registry.rollback", str(body.version), payload, body.reason, caller.name
            )
        )

    return routes


def _restriction(row: RestrictionRow) -> RestrictionShown:
    return RestrictionShown(
        id=row.id, kind=row.kind, subject=row.subject, reason=row.reason, since=models.moment(row.from_at),
        until=models.moment(row.to_at), principal=row.principal, lifted_by=row.lifted_by, approver=row.approver,
        lift_reason=row.lift_reason, ladder=bool(row.origin), notice=row.notice,
        notice_at=models.moment(row.notice_at), appeal=row.appeal, appeal_at=models.moment(row.appeal_at),
    )  # fmt: skip
