"""Tables of papers: tenants, documents, restrictions, and what registry versions were before they were changed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Identity, Index, Integer, LargeBinary, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from gateway.store.sql.schema_base import metadata, text_column, time_column

tenants = Table(
    "tenants",
    metadata,
    Column("id", Text, primary_key=True),
    Column("operator", Text, ForeignKey("operators.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("credit_code", Text, nullable=False),
    Column("state", Text, nullable=False),
)

documents = Table(
    "documents",
    metadata,
    Column("id", Text, primary_key=True),
    # Append-only. NULL: a decision on somebody who is not here.
    Column("operator", Text, ForeignKey("operators.id"), nullable=True),
    # licence, promise, certificate, filing, agreement, …
    Column("kind", Text, nullable=False),
    Column("reference", Text, nullable=False),
    time_column("valid_from"),
    time_column("valid_to"),
    Column("sha256", LargeBinary, nullable=True),
    Column("detail", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    time_column("recorded_at", now=True),
    text_column("tenant"),
    Column("result", Text, nullable=False, server_default=text("'accepted'::text")),
    Column("supersedes", Text, ForeignKey("documents.id"), nullable=True),
    text_column("recorded_by"),
    Index("documents_operator", "operator", "kind"),
)

restrictions = Table(
    "restrictions",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    # operator, trunk or number
    Column("subject_kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("reason", Text, nullable=False),
    time_column("from_at", required=True),
    time_column("to_at"),
    Column("principal", Text, nullable=False),
    time_column("recorded_at", now=True),
    # Lifting ends it at that time; nothing else of it changes but what was said of it.
    Column("lifted_by", Text, nullable=True),
    Column("approver", Text, nullable=True),
    Column("lift_reason", Text, nullable=True),
    # Of one the ladder made: the decision that was one too many, and its step. Taken in once.
    text_column("origin"),
    text_column("notice"),
    text_column("appeal"),
    time_column("notice_at"),
    time_column("appeal_at"),
    Index("restrictions_to_at", "to_at"),
    Index("restrictions_origin", "origin", unique=True, postgresql_where=text("origin <> ''::text")),
)

registry_versions = Table(
    "registry_versions",
    metadata,
    # One row a change: who, why, and the rows as they were before it (store.sql.versions).
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    time_column("at", now=True),
    Column("principal", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("approver", Text, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("undo", LargeBinary, nullable=False),
)
