"""The tables. `migrations/` makes them; a test holds both against each other.

`schema_lists` has those of consents and refusals, `schema_papers` those of papers. Words as in DESIGN §4.
Times are timestamptz (UTC). `change` is the outbox row that changed a row last.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
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
from sqlalchemy.dialects.postgresql import ARRAY, INT8RANGE, JSONB, TSTZRANGE, ExcludeConstraint

from gateway.store.sql import schema_lists, schema_papers
from gateway.store.sql.schema_base import metadata
from gateway.store.sql.schema_base import text_column as _text
from gateway.store.sql.schema_base import texts_column as _texts
from gateway.store.sql.schema_base import time_column as _time

__all__ = ["metadata", "schema_lists", "schema_papers"]

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
    _text("credit_code"),
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
    Column("outbound", Boolean, nullable=False, server_default=text("true")),
    Column("inbound", Boolean, nullable=False, server_default=text("true")),
    _text("carrier"),
    _text("circuit"),
    _text("contract"),
    _time("contract_from"),
    _time("contract_to"),
    _text("agreement"),
    _text("region"),
    Column("origin", Text, nullable=False, server_default=text("'domestic'")),
    _text("purpose_header"),
    Column("channels", Integer, nullable=False, server_default=text("0")),
    Column("cps", Integer, nullable=False, server_default=text("0")),
    CheckConstraint("side IN ('access', 'core')", name="trunks_side"),
    CheckConstraint("origin IN ('domestic', 'foreign')", name="trunks_origin"),
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
    # [from (epoch seconds), state], …
    Column("steps", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("length", SmallInteger, nullable=False, server_default=text("0")),
    _texts("regions"),
    _texts("carriers"),
    _text("tenant"),
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

pack_terms = Table(
    "pack_terms",
    metadata,
    # When which version of a pack was in force; those without an end are now (store.sql.packs).
    Column("id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    _time("from_at", required=True),
    _time("to_at"),
    # Who put it in force, and who ended it.
    Column("principal", Text, nullable=False),
    _text("ended_by"),
    # Why, and who agreed, where that was said.
    _text("reason"),
    _text("approver"),
    PrimaryKeyConstraint("id", "from_at"),
    ForeignKeyConstraint(("id", "version"), ("packs.id", "packs.version")),
    Index("pack_terms_now", "id", unique=True, postgresql_where=text("to_at IS NULL")),
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

key_rotations = Table(
    "key_rotations",
    metadata,
    # Rotations of the keys of subscriber numbers (store.sql.rotation), one open at a time.
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    # Checks of the pseudonym keys, ids of the seal keys.
    Column("before", LargeBinary, nullable=False),
    Column("after", LargeBinary, nullable=False),
    Column("seal_before", SmallInteger, nullable=False),
    Column("seal_after", SmallInteger, nullable=False),
    Column("principal", Text, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'copying'::text")),
    # Hashes up to this one are copied.
    Column("reached", LargeBinary, nullable=True),
    Column("rows", BigInteger, nullable=False, server_default=text("0")),
    Column("total", BigInteger, nullable=False, server_default=text("0")),
    _time("started_at", now=True),
    _time("switched_at"),
    # From then on no worker used the key before.
    _time("finished_at"),
    CheckConstraint(
        "state IN ('copying', 'copied', 'switched', 'done', 'given up')", name="key_rotations_state"
    ),
    Index(
        "key_rotations_open", text("(true)"), unique=True,
        postgresql_where=text("state IN ('copying', 'copied', 'switched')"),
    ),
)  # fmt: skip

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
    # The human being who holds it: tokens of one person are one person where two have to agree.
    Column("person", Text, nullable=False),
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
    # Of a token in the role resale: whose users' wishes it reads and changes, as in refusals.list without `home:`.
    Column("home", Text, nullable=True),
    CheckConstraint("role IN ('viewer', 'operator', 'resale', 'compliance', 'admin')", name="tokens_role"),
    CheckConstraint("(role = 'resale') = (home IS NOT NULL)", name="tokens_home"),
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
