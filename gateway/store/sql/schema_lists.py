"""The tables of what subscribers said: consents, refusals, their imports and versions. Part of `schema`."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)

from gateway.store.sql.schema_base import metadata, time_column


def _proof() -> tuple[Column[object], ...]:
    """Of a consent: where it is, its SHA-256, how and when consent was given."""
    return (
        Column("evidence_uri", Text, nullable=True),
        Column("evidence_sha256", LargeBinary, nullable=True),
        Column("evidence_method", Text, nullable=True),
        time_column("evidence_at"),
    )


def _declined() -> tuple[Column[object], ...]:
    """What an event, or a row as it was, is about: as in `refusals`."""
    return tuple(Column(name, Text, nullable=False) for name in ("scope", "value", "band", "list"))


consents = Table(
    "consents",
    metadata,
    Column("callee_hash", LargeBinary, nullable=False),
    # Numbers of operators and purposes. No foreign keys: they are never deleted, the merge checks each number once
    # (store.sql.consents), and a trigger per row and key is a third of the cost of a bulk import.
    Column("operator", Integer, nullable=False),
    Column("purpose", SmallInteger, nullable=False),
    Column("callee_sealed", Text, nullable=False),
    # The newest grant and the newest revoke; live while granted_at > revoked_at. Merging events into such a
    # row gives the same whatever their order, so no late import resurrects a revoked consent.
    time_column("granted_at"),
    time_column("expires_at"),
    # Of the newest grant.
    *_proof(),
    time_column("revoked_at"),
    Column("change", BigInteger, nullable=False),
    # The outbox row of the bulk import that made this row; 0 for others. Rolled back, such a row is void: all times
    # empty, which counts as not there.
    Column("born", BigInteger, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("callee_hash", "operator", "purpose"),
    CheckConstraint("octet_length(evidence_sha256) = 32", name="consents_sha256"),
    CheckConstraint("octet_length(callee_hash) = 8", name="consents_hash"),
    Index("consents_change", "change"),
    Index("consents_void", "change", postgresql_where=text("granted_at IS NULL AND revoked_at IS NULL")),
)

refusals = Table(
    "refusals",
    metadata,
    Column("callee_hash", LargeBinary, nullable=False),
    Column("scope", Text, nullable=False),
    # category: purpose name; caller_prefix, caller: canonical number; operator: operator id; all: empty.
    Column("value", Text, nullable=False),
    # Time band in the callee's zone (policies.band), empty: always.
    Column("band", Text, nullable=False, server_default=text("''::text")),
    # Whose row it is: empty (this deployment's own), `feed:ID` (a decline feed) or `home:ID` (users of a resale
    # operator). Only the owner changes it; calls are refused by the rows of all.
    Column("list", Text, nullable=False, server_default=text("''::text")),
    Column("callee_sealed", Text, nullable=False),
    # In force while declared_at >= withdrawn_at: at equal times the refusal wins.
    time_column("declared_at"),
    time_column("withdrawn_at"),
    Column("source", Text, nullable=False),
    # How the user agreed to the newest event (RULES B17).
    Column("agreement", Text, nullable=False, server_default=text("''::text")),
    Column("change", BigInteger, nullable=False),
    Column("born", BigInteger, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("callee_hash", "scope", "value", "band", "list"),
    Index("refusals_void", "change", postgresql_where=text("declared_at IS NULL")),
    Index("refusals_list", "list", postgresql_where=text("list <> ''::text")),
    CheckConstraint("octet_length(callee_hash) = 8", name="refusals_hash"),
    CheckConstraint("scope IN ('all', 'category', 'caller_prefix', 'caller', 'operator')", name="refusals_scope"),
    Index("refusals_change", "change"),
)

imports = Table(
    "imports",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("principal", Text, nullable=False),
    # staging, done or refused
    Column("state", Text, nullable=False),
    # Which list it changes (as in refusals.list), and how much of the file is in the staging table.
    Column("list", Text, nullable=False, server_default=text("''::text")),
    Column("staged_lines", BigInteger, nullable=False, server_default=text("0")),
    Column("staged_rows", BigInteger, nullable=False, server_default=text("0")),
    # Of the pseudonym key they are hashed with.
    Column("key_check", LargeBinary, nullable=True),
    Column("changed", BigInteger, nullable=False, server_default=text("0")),
    time_column("started_at", now=True),
    time_column("finished_at"),
    Index("imports_sha256", "sha256"),
)

# An import is staged in an unlogged table of its own, made like `consent_events` or `refusal_events`
# (store.sql.imports).

consent_events = Table(
    "consent_events",
    metadata,
    # Single grants and revokes, kept for as long as a bulk import may be rolled back under them.
    Column("id", BigInteger, Identity(always=False), primary_key=True),
    Column("callee_hash", LargeBinary, nullable=False),
    Column("callee_sealed", Text, nullable=False),
    Column("operator", Integer, nullable=False),
    Column("purpose", SmallInteger, nullable=False),
    Column("revoke", Boolean, nullable=False),
    time_column("at", required=True),
    time_column("expires_at"),
    *_proof(),
    time_column("recorded_at", now=True),
    Index("consent_events_key", "callee_hash", "operator", "purpose"),
)

refusal_events = Table(
    "refusal_events",
    metadata,
    Column("id", BigInteger, Identity(always=False), primary_key=True),
    Column("callee_hash", LargeBinary, nullable=False),
    Column("callee_sealed", Text, nullable=False),
    *_declined(),
    Column("withdraw", Boolean, nullable=False),
    time_column("at", required=True),
    Column("source", Text, nullable=False),
    Column("agreement", Text, nullable=False),
    time_column("recorded_at", now=True),
    Index("refusal_events_key", "callee_hash", "scope", "value", "band", "list"),
)

list_versions = Table(
    "list_versions",
    metadata,
    # In the order in which they took effect.
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    # `consents:OPERATOR`, `refusals`, `home:ID` or `feed:ID`.
    Column("list", Text, nullable=False),
    # A feed's own number; else counted from 1.
    Column("version", BigInteger, nullable=False),
    Column("import_id", BigInteger, nullable=False),
    Column("change", BigInteger, nullable=False),
    # full or delta (feeds), import
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("principal", Text, nullable=False),
    Column("added", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    # Feeds: rows that stand after it.
    Column("rows", BigInteger, nullable=False),
    time_column("issued_at"),
    time_column("at", now=True),
    Column("state", Text, nullable=False, server_default=text("'in force'::text")),
    # What it changed is still kept: it can be rolled back.
    Column("undo", Boolean, nullable=False, server_default=text("true")),
    CheckConstraint("state IN ('in force', 'rolled back')", name="list_versions_state"),
    Index("list_versions_list", "list", "id"),
)

undo_consents = Table(
    "undo_consents",
    metadata,
    # How a row was before the change; rows it made are known by `consents.born`.
    Column("change", BigInteger, nullable=False),
    Column("callee_hash", LargeBinary, nullable=False),
    Column("operator", Integer, nullable=False),
    Column("purpose", SmallInteger, nullable=False),
    time_column("granted_at"),
    time_column("expires_at"),
    *_proof(),
    time_column("revoked_at"),
    PrimaryKeyConstraint("change", "operator", "callee_hash", "purpose"),
)

undo_refusals = Table(
    "undo_refusals",
    metadata,
    Column("change", BigInteger, nullable=False),
    Column("callee_hash", LargeBinary, nullable=False),
    *_declined(),
    time_column("declared_at"),
    time_column("withdrawn_at"),
    Column("source", Text, nullable=False),
    Column("agreement", Text, nullable=False),
    PrimaryKeyConstraint("change", "list", "callee_hash", "scope", "value", "band"),
)

feeds = Table(
    "feeds",
    metadata,
    # Decline feeds of others (RULES B16). `version` 0: defined, nothing imported yet.
    Column("id", Text, primary_key=True),
    Column("max_age_s", BigInteger, nullable=False),
    # A full feed that would drop more than this share of the rows is refused.
    Column("max_shrink", Float, nullable=False),
    Column("version", BigInteger, nullable=False, server_default=text("0")),
    time_column("issued_at"),
    Column("rows", BigInteger, nullable=False, server_default=text("0")),
    time_column("imported_at"),
    Column("principal", Text, nullable=False),
    CheckConstraint("max_age_s > 0", name="feeds_max_age"),
    CheckConstraint("max_shrink BETWEEN 0 AND 1", name="feeds_max_shrink"),
)
