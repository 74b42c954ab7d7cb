"""Consents: grant, revoke, look up one callee."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from gateway.control.api.caller import CHANGERS, EVERYONE, Caller, needs
from gateway.control.api.context import Context
from gateway.control.api.numbers import canonical
from gateway.control.api.types import Body, Id, PhoneNumber, Text, Time
from gateway.control.importer.consents import grant_consent, revoke_consent
from gateway.control.importer.subscriber import Subscribers, keys_in_force
from gateway.registry.numbering import mask
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.of_callee import ConsentRow, consents_of
from gateway.store.sql.tokens import Role, Scope


class Grant(Body):
    """A callee allows an operator to call for a purpose."""

    callee: PhoneNumber
    operator: Id
    purpose: Id
    at: Time | None = Field(default=None, description="When; default now")
    expires_at: Time | None = Field(default=None, description="Until when; default for ever")
    evidence_uri: Text = Field(default="", description="Where the proof is kept")
    evidence_sha256: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")] = Field(default="", description="Its SHA-256")
    evidence_method: Literal["", "call", "web", "app", "sms", "paper", "in_person", "other"] = ""
    evidence_at: Time | None = Field(default=None, description="When the proof was taken")


class Revoke(Body):
    """A callee takes a consent back."""

    callee: PhoneNumber
    operator: Id
    purpose: Id
    at: Time | None = Field(default=None, description="When; default now")


class Lookup(Body):
    """Whose data are asked for."""

    callee: PhoneNumber


class Changed(BaseModel):
    """What a change did."""

    changed: bool = Field(description="False: a newer event, or the same one, is stored already")
    callee: str = Field(description="Masked", examples=["+86138****8000"])


class Consent(BaseModel):
    """A consent with its newest events."""

    operator: str
    purpose: str
    state: Literal["live", "expired", "revoked"]
    granted_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    evidence_uri: str
    evidence_sha256: str
    evidence_method: str
    evidence_at: datetime | None


class Consents(BaseModel):
    """What one callee allowed."""

    callee: str = Field(description="Masked")
    consents: list[Consent]


CHANGE = needs(*CHANGERS, Role.OPERATOR, scope=Scope.LISTS)


def router(context: Context) -> APIRouter:
    """`/consents`."""
    routes = APIRouter(tags=["consents"])

    @routes.post("/consents", summary="A callee allows an operator to call for a purpose")
    async def grant(body: Grant, caller: Caller = CHANGE) -> Changed:
        caller.must_own(body.operator)
        changed = await grant_consent(
            context.engine, context.keys, body.callee, body.operator, body.purpose, body.expires_at,
            body.evidence_uri or None, body.at, principal=caller.name, evidence_sha256=body.evidence_sha256,
            evidence_method=body.evidence_method, evidence_at=body.evidence_at,
        )  # fmt: skip
        return Changed(changed=changed, callee=mask(body.callee))

    @routes.post("/consents/revoke", summary="A callee takes a consent back; calls are refused within a second")
    async def revoke(body: Revoke, caller: Caller = CHANGE) -> Changed:
        caller.must_own(body.operator)
        changed = await revoke_consent(
            context.engine, context.keys, body.callee, body.operator, body.purpose, body.at, principal=caller.name
        )
        return Changed(changed=changed, callee=mask(body.callee))

    @routes.post("/consents/lookup", summary="What one callee allowed")
    async def lookup(body: Lookup, caller: Caller = needs(*EVERYONE)) -> Consents:
        number = await canonical(context, body.callee)
        with mapped_errors():
            async with context.engine.connect() as connection:
                subscribers = Subscribers(await keys_in_force(connection, context.keys))
                rows = await consents_of(connection, subscribers.hash(number), caller.operator)
        now = datetime.fromtimestamp(context.clock(), UTC)
        return Consents(callee=mask(number), consents=[_shown(row, now) for row in rows])

    return routes


def _shown(row: ConsentRow, now: datetime) -> Consent:
    return Consent.model_validate(
        {
            "operator": row.operator, "purpose": row.purpose, "state": row.state(now), "granted_at": row.granted_at,
            "expires_at": row.expires_at, "revoked_at": row.revoked_at, "evidence_uri": row.evidence_uri,
            "evidence_sha256": row.evidence_sha256, "evidence_method": row.evidence_method,
            "evidence_at": row.evidence_at,
        }
    )  # fmt: skip
