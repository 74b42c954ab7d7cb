"""What the API says of registry rows, and what may be said of them in a change: fields as in a registry file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from gateway.control.api.types import Body, Id, Text, Time, Words
from gateway.control.registry_admin import Changed
from gateway.registry.paper_fields import plain_detail
from gateway.registry.papers import Document
from gateway.registry.standing import Tenant

MAX_ROWS = 256
MAX_LINES = 100_000
"""Entries of a list in one row."""
Names = Annotated[list[Text], Field(max_length=MAX_ROWS)]
State = Literal["active", "suspended"]
RangeState = Literal["assigned", "filed", "enabled", "suspended", "recalled"]
DocumentKind = Literal[
    "licence",
    "promise",
    "certificate",
    "filing",
    "agreement",
    "inspection",
    "business_plan",
    "capability",
    "declaration",
    "finding",
]
Value = bool | int | Text | Names
"""Of a document's field."""


def moment(at: float) -> datetime | None:
    """Epoch seconds as the API writes them; null for open."""
    return datetime.fromtimestamp(at, UTC) if at else None


class ChangedShown(BaseModel):
    """What a change did."""

    version: int = Field(description="The registry's version after it")
    rows: int = Field(description="Rows it changed; 0: nothing was to be done")
    id: int | None = Field(default=None, description="Number of what was made")


def changed_shown(changed: Changed, made: int | None = None) -> ChangedShown:
    """As it is answered."""
    return ChangedShown(version=changed.version, rows=changed.rows, id=made)


class Reason(Body):
    """Why."""

    reason: Words


class OperatorPatch(Body):
    """Fields to change; null takes one back to its default. `state`: by activate and suspend."""

    name: Text | None = None
    operator_class: Text | None = Field(default=None, alias="class")
    credit_code: Text | None = None


class TenantShown(BaseModel):
    """A tenant of a seat rental."""

    id: str
    operator: str
    name: str
    credit_code: str
    state: State

    @classmethod
    def of(cls, row: Tenant) -> TenantShown:
        """From the registry's row."""
        return cls(id=row.id, operator=row.operator, name=row.name, credit_code=row.credit_code, state=row.state)


class TenantPatch(Body):
    """Fields to change; null takes one back to its default."""

    operator: Id | None = None
    name: Text | None = None
    credit_code: Text | None = None


class TrunkPatch(Body):
    """Fields to change; null takes one back to its default. Opening `outbound`: by open-outbound."""

    side: Literal["access", "core"] | None = None
    operator: Id | None = None
    outbound: bool | None = None
    inbound: bool | None = None
    sources: Names | None = None
    listeners: Names | None = None
    next_hops: Names | None = None
    transports: Names | None = None
    tls_names: Names | None = None
    trusted: bool | None = None
    needs_asserted: bool | None = None
    country: Text | None = None
    area: Text | None = None
    region: Text | None = None
    emergency_cli: Text | None = None
    carrier: Text | None = None
    circuit: Text | None = None
    contract: Text | None = None
    origin: Literal["domestic", "foreign"] | None = None
    purpose_header: Text | None = None
    contract_from: Time | None = None
    contract_to: Time | None = None
    agreement: Text | None = None
    channels: Annotated[int, Field(ge=0, le=MAX_LINES)] | None = None
    cps: Annotated[int, Field(ge=0, le=MAX_LINES)] | None = None


class RangePatch(Body):
    """Fields to change; null takes one back to its default. Opening `outbound`: by open-outbound; states: by state."""

    first: Text | None = None
    last: Text | None = None
    length: Annotated[int, Field(ge=0, le=20)] | None = None
    operator: Id | None = None
    tenant: Text | None = None
    trunks: Names | None = None
    egress: Names | None = None
    outbound: bool | None = None
    inbound: bool | None = None
    purposes: Names | None = None
    regions: Names | None = None
    carriers: Names | None = None
    certificate: Text | None = None
    filing: Text | None = None
    valid_from: Time | None = None
    valid_to: Time | None = None


class DocumentIn(Body):
    """A document to record. It is never changed: a later one supersedes it."""

    id: Id
    kind: DocumentKind
    operator: Text = ""
    tenant: Text = ""
    reference: Text = ""
    result: Literal["accepted", "rejected", "withdrawn", "pending"] = "accepted"
    valid_from: Time | None = None
    valid_to: Time | None = None
    supersedes: Text = ""
    sha256: Annotated[str, Field(max_length=64, description="Of the file that was seen, hex")] = ""
    detail: Annotated[dict[Id, Value], Field(max_length=32)] = Field(description="Fields of the kind")

    def values(self) -> dict[str, object]:
        """As a registry file has them."""
        given = self.model_dump(exclude_unset=True, exclude={"detail"})
        return {**self.detail, **{key: value for key, value in given.items() if value is not None}}


class DocumentShown(BaseModel):
    """A document as it was recorded."""

    id: str
    kind: DocumentKind
    operator: str
    tenant: str
    reference: str
    result: str
    valid_from: datetime | None
    valid_to: datetime | None
    supersedes: str
    sha256: str
    recorded_by: str
    recorded_at: datetime | None
    detail: dict[str, bool | int | str | list[str]]

    @classmethod
    def of(cls, row: Document) -> DocumentShown:
        """From the registry's row."""
        return cls.model_validate(
            {
                **{name: getattr(row, name) for name in ("id", "kind", "operator", "tenant", "reference", "result")},
                **{name: getattr(row, name) for name in ("supersedes", "sha256", "recorded_by")},
                **{name: moment(getattr(row, name)) for name in ("valid_from", "valid_to", "recorded_at")},
                "detail": plain_detail(row.detail),
            }
        )


