"""The tables. `migrations/` makes them; a test holds both against each other.

Words as in DESIGN §4. Times are timestamptz (UTC). `change` is the outbox row that changed a row last.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, INT8RANGE, JSONB, TSTZRANGE, ExcludeConstraint

metadata = MetaData()

_NOW = text("now()")


def _time(name: str, *, required: bool = False, now: bool = False) -> Column[object]:
    return Column(
        name,
        DateTime(timezone=True),
        nullable=not (required or now),
        server_default=_NOW if now else None,
    )


# --- registry
# -------------------------------------------------------------------------------------------------

registry_state = Table(
    "registry_state",
    metadata,
    # One row. Its lock orders registry changes; its version names the snapshot.
    Column("only", Boolean, primary_key=True, server_default=text("true")),
    Column("version", BigInteger, nullable=False, server_default=text("0")),
    Column("plan", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("emergency", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Column("country", Text, nullable=False, server_default=text("'86'::text")),
    Column("zone", Text, nullable=False, server_default=text("'Asia/Shanghai'::text")),
    Column("pack", Text, nullable=False, server_default=text("''::text")),
    _time("updated_at", now=True),
    CheckConstraint('"only"', name="registry_state_only"),
)

operators = Table(
    "operators",
    metadata,
    Column("id", Text, primary_key=True),
    # Stands for the operator in consents and in Redis; never given to another.
    Column("number", Integer, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("operator_class", Text, nullable=False),
    Column("state", Text, nullable=False),
    CheckConstraint("number BETWEEN 1 AND 65535", name="operators_number"),
)

purposes = Table(
    "purposes",
    metadata,
    Column("name", Text, primary_key=True),
    Column("number", SmallInteger, nullable=False, unique=True),
    Column("title", Text, nullable=False, server_default=text("''::text")),
    CheckConstraint("number BETWEEN 1 AND 255", name="purposes_number"),
)

trunks = Table(
    "trunks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("side", Text, nullable=False),
    Column("operator", Text, ForeignKey("operators.id"), nullable=True),
    Column("sources", ARRAY(Text), nullable=False),
    Column("listeners", ARRAY(Text), nullable=False),
    Column("next_hops", ARRAY(Text), nullable=False),
    Column("trusted", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Column("country", Text, nullable=False),
    Column("area", Text, nullable=False),
    Column("emergency_cli", Text, nullable=False),
    Column("answers", JSONB, nullable=False),
    Column("needs_asserted", Boolean, nullable=False),
    Column("ports", ARRAY(Integer), nullable=False),
    Column("transports", ARRAY(Text), nullable=False),
    Column("tls_names", ARRAY(Text), nullable=False),
    # [user, realm, [[algorithm, sealed H(A1)], …]], …
    Column("digest", JSONB, nullable=False),
    Column("algorithms", ARRAY(Text), nullable=False),
    CheckConstraint("side IN ('access', 'core')", name="trunks_side"),
)

number_ranges = Table(
    "number_ranges",
    metadata,
    Column("id", Text, primary_key=True),
    Column("first", Text, nullable=False),
    Column("last", Text, nullable=False),
    Column("operator", Text, ForeignKey("operators.id"), nullable=False),
    Column("trunks", ARRAY(Text), nullable=False),
    Column("egress", ARRAY(Text), nullable=False),
    Column("outbound", Boolean, nullable=False),
    Column("inbound", Boolean, nullable=False),
    Column("purposes", ARRAY(Text), nullable=False),
    Column("certificate", Text, nullable=False),
    Column("filing", Text, nullable=False),
    _time("valid_from"),
    _time("valid_to"),
    Column("state", Text, nullable=False),
    # The numbers as integers with the digit length folded in (store.sql.registry.range_key), so that blocks
    # of unequal length never overlap; range types alone need no extension for the exclusion.
    Column("numbers", INT8RANGE, nullable=False),
    Column("validity", TSTZRANGE, nullable=False),
    ExcludeConstraint(("numbers", "&&"), ("validity", "&&"), name="number_ranges_overlap", using="gist"),
)

packs = Table(
    "packs",
    metadata,
    Column("id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("text", Text, nullable=False),
    Column("principal", Text, nullable=False),
    _time("imported_at", now=True),
    PrimaryKeyConstraint("id", "version"),
)

documents = Table(
    "documents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("operator", Text, ForeignKey("operators.id"), nullable=False),
    # licence, promise, certificate, filing, agreement, …
    Column("kind", Text, nullable=False),
    Column("reference", Text, nullable=False),
    _time("valid_from"),
    _time("valid_to"),
    Column("sha256", LargeBinary, nullable=True),
    Column("detail", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    _time("recorded_at", now=True),
)

restrictions = Table(
    "restrictions",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    # operator, trunk or number
    Column("subject_kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("reason", Text, nullable=False),
    _time("from_at", required=True),
    _time("to_at"),
    Column("principal", Text, nullable=False),
    _time("recorded_at", now=True),
)

# --- subscribers
# ----------------------------------------------------------------------------------------------

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
    _time("granted_at"),
    _time("expires_at"),
    # The proof of the newest grant: where it is, its SHA-256, how and when consent was given.
    Column("evidence_uri", Text, nullable=True),
    Column("evidence_sha256", LargeBinary, nullable=True),
    Column("evidence_method", Text, nullable=True),
    _time("evidence_at"),
    _time("revoked_at"),
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
    _time("declared_at"),
    _time("withdrawn_at"),
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
    Column("changed", BigInteger, nullable=False, server_default=text("0")),
    _time("started_at", now=True),
    _time("finished_at"),
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
    _time("at", required=True),
    _time("expires_at"),
    Column("evidence_uri", Text, nullable=True),
    Column("evidence_sha256", LargeBinary, nullable=True),
    Column("evidence_method", Text, nullable=True),
    _time("evidence_at"),
    _time("recorded_at", now=True),
    Index("consent_events_key", "callee_hash", "operator", "purpose"),
)

refusal_events = Table(
    "refusal_events",
    metadata,
    Column("id", BigInteger, Identity(always=False), primary_key=True),
    Column("callee_hash", LargeBinary, nullable=False),
    Column("callee_sealed", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("band", Text, nullable=False),
    Column("list", Text, nullable=False),
    Column("withdraw", Boolean, nullable=False),
    _time("at", required=True),
    Column("source", Text, nullable=False),
    Column("agreement", Text, nullable=False),
    _time("recorded_at", now=True),
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
    _time("issued_at"),
    _time("at", now=True),
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
    _time("granted_at"),
    _time("expires_at"),
    Column("evidence_uri", Text, nullable=True),
    Column("evidence_sha256", LargeBinary, nullable=True),
    Column("evidence_method", Text, nullable=True),
    _time("evidence_at"),
    _time("revoked_at"),
    PrimaryKeyConstraint("change", "operator", "callee_hash", "purpose"),
)

undo_refusals = Table(
    "undo_refusals",
    metadata,
    Column("change", BigInteger, nullable=False),
    Column("callee_hash", LargeBinary, nullable=False),
    Column("scope", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("band", Text, nullable=False),
    Column("list", Text, nullable=False),
    _time("declared_at"),
    _time("withdrawn_at"),
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
    _time("issued_at"),
    Column("rows", BigInteger, nullable=False, server_default=text("0")),
    _time("imported_at"),
    Column("principal", Text, nullable=False),
    CheckConstraint("max_age_s > 0", name="feeds_max_age"),
    CheckConstraint("max_shrink BETWEEN 0 AND 1", name="feeds_max_shrink"),
)

# --- changes
# --------------------------------------------------------------------------------------------------

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    # Ids are given before commit: only (xid, id) below the oldest running transaction is an order without
    # holes.
    Column("xid", BigInteger, nullable=False, server_default=text("((pg_current_xact_id())::text)::bigint")),
    _time("at", now=True),
    # registry, consents or refusals
    Column("kind", Text, nullable=False),
    Index("outbox_order", "xid", "id"),
)

dataset = Table(
    "dataset",
    metadata,
    # One row: the projection's epoch, and what proves that hashes were made with this gateway's key.
    Column("only", Boolean, primary_key=True, server_default=text("true")),
    Column("epoch", BigInteger, nullable=False, server_default=text("0")),
    Column("buckets", Integer, nullable=False, server_default=text("0")),
    # Outbox rows of transactions up to this one are deleted: a watermark below it needs a rebuild.
    Column("outbox_floor", BigInteger, nullable=False, server_default=text("0")),
    Column("key_check", LargeBinary, nullable=True),
    CheckConstraint('"only"', name="dataset_only"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    _time("at", now=True),
    Column("principal", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("detail", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Index("audit_at", "at"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    # SHA-256 of the token; the token itself is shown once and kept nowhere.
    Column("sha256", LargeBinary, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("principal", Text, nullable=False),
    _time("created_at", now=True),
    _time("revoked_at"),
    # Of a token in the role operator: whose data it reads and changes.
    Column("operator", Text, ForeignKey("operators.id"), nullable=True),
    Column("scopes", ARRAY(Text), nullable=False, server_default=text("'{read}'::text[]")),
    _time("expires_at"),
    CheckConstraint("role IN ('viewer', 'operator', 'compliance', 'admin')", name="tokens_role"),
    CheckConstraint("(role = 'operator') = (operator IS NOT NULL)", name="tokens_operator"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("token", BigInteger, ForeignKey("tokens.id"), nullable=False),
    Column("key", Text, nullable=False),
    # Keyed hash of method, path and body: the body itself may name a subscriber.
    Column("fingerprint", LargeBinary, nullable=False),
    _time("at", now=True),
    # The answer; no status: being worked on. No body: an answer that is not kept.
    Column("status", Integer, nullable=True),
    Column("content_type", Text, nullable=True),
    Column("body", LargeBinary, nullable=True),
    PrimaryKeyConstraint("token", "key"),
    Index("idempotency_keys_at", "at"),
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    # What it does (control.approvals.KINDS), to what, and with which values.
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("reason", Text, nullable=False),
    # Whose data it changes, if one operator's.
    Column("operator", Text, nullable=True),
    Column("requested_by", Text, nullable=False),
    _time("requested_at", now=True),
    _time("expires_at", required=True),
    Column("state", Text, nullable=False, server_default=text("'pending'::text")),
    Column("decided_by", Text, nullable=True),
    _time("decided_at"),
    Column("note", Text, nullable=False, server_default=text("''::text")),
    CheckConstraint("state IN ('pending', 'approved', 'rejected')", name="approvals_state"),
    CheckConstraint("(state = 'pending') = (decided_by IS NULL)", name="approvals_decided"),
    CheckConstraint("state <> 'approved' OR decided_by <> requested_by", name="approvals_two_persons"),
    Index("approvals_pending", "kind", "subject", postgresql_where=text("state = 'pending'::text")),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    # consents, refusals, registry, pack, …
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("principal", Text, nullable=False),
    Column("operator", Text, nullable=True),
    # Whose control process works on it.
    Column("node", Text, nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'running'::text")),
    Column("rows", BigInteger, nullable=False, server_default=text("0")),
    Column("changed", BigInteger, nullable=False, server_default=text("0")),
    Column("version", BigInteger, nullable=False, server_default=text("0")),
    Column("detail", Text, nullable=False, server_default=text("''::text")),
    Column("problems", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    _time("started_at", now=True),
    _time("finished_at"),
    CheckConstraint("state IN ('running', 'done', 'refused', 'failed')", name="uploads_state"),
)

# --- evidence
# -------------------------------------------------------------------------------------------------

evidence = Table(
    "evidence",
    metadata,
    _time("at", required=True),
    Column("journal", Text, nullable=False),
    # Number of the record in its journal, from 1.
    Column("seq", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    # Decision id, empty for records of no call.
    Column("id", Text, nullable=False),
    Column("number", Text, nullable=True),
    Column("party", LargeBinary, nullable=True),
    Column("call_id", Text, nullable=True),
    # The journal's line as it was, byte for byte: what the chain was computed over.
    Column("record", Text, nullable=False),
    Column("chain", Text, nullable=False),
    PrimaryKeyConstraint("journal", "seq", "at"),
    Index("evidence_id", "id"),
    Index("evidence_number", "number", "at", postgresql_where=text("number IS NOT NULL")),
    Index("evidence_party", "party", "at", postgresql_where=text("party IS NOT NULL")),
    # A prefix: strangers choose Call-IDs, and an index entry has a bound (evidence_rows.CALL_ID_PREFIX).
    Index("evidence_call_id", text('"left"(call_id, 255)'), postgresql_where=text("call_id IS NOT NULL")),
    Index("evidence_decisions", "at", postgresql_where=text("kind = 'decision'::text")),
    postgresql_partition_by="RANGE (at)",
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("journal", Text, primary_key=True),
    Column("segment", Integer, nullable=False),
    # Byte offset of the next line to ship.
    Column("offset", BigInteger, nullable=False),
    # Number and chain value of the last shipped record.
    Column("seq", BigInteger, nullable=False),
    Column("chain", Text, nullable=False),
    _time("updated_at", now=True),
)
