"""The first schema (gateway/store/sql/schema.py has the words)."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

STATEMENTS = """
CREATE TABLE registry_state (
    "only" boolean PRIMARY KEY DEFAULT true CONSTRAINT registry_state_only CHECK ("only"),
    version bigint NOT NULL DEFAULT 0,
    plan jsonb NOT NULL DEFAULT '[]',
    emergency text[] NOT NULL DEFAULT '{}',
    country text NOT NULL DEFAULT '86',
    zone text NOT NULL DEFAULT 'Asia/Shanghai',
    pack text NOT NULL DEFAULT '',
    updated_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO registry_state DEFAULT VALUES;

CREATE TABLE operators (
    id text PRIMARY KEY,
    number integer NOT NULL UNIQUE CONSTRAINT operators_number CHECK (number BETWEEN 1 AND 65535),
    name text NOT NULL,
    operator_class text NOT NULL,
    state text NOT NULL
);

CREATE TABLE purposes (
    name text PRIMARY KEY,
    number smallint NOT NULL UNIQUE CONSTRAINT purposes_number CHECK (number BETWEEN 1 AND 255),
    title text NOT NULL DEFAULT ''
);

CREATE TABLE trunks (
    id text PRIMARY KEY,
    side text NOT NULL CONSTRAINT trunks_side CHECK (side IN ('access', 'core')),
    operator text REFERENCES operators (id),
    sources text[] NOT NULL,
    listeners text[] NOT NULL,
    next_hops text[] NOT NULL,
    trusted boolean NOT NULL,
    state text NOT NULL,
    country text NOT NULL,
    area text NOT NULL,
    emergency_cli text NOT NULL,
    answers jsonb NOT NULL
);

CREATE TABLE number_ranges (
    id text PRIMARY KEY,
    first text NOT NULL,
    last text NOT NULL,
    operator text NOT NULL REFERENCES operators (id),
    trunks text[] NOT NULL,
    egress text[] NOT NULL,
    outbound boolean NOT NULL,
    inbound boolean NOT NULL,
    purposes text[] NOT NULL,
    certificate text NOT NULL,
    filing text NOT NULL,
    valid_from timestamptz,
    valid_to timestamptz,
    state text NOT NULL,
    numbers int8range NOT NULL,
    validity tstzrange NOT NULL,
    CONSTRAINT number_ranges_overlap EXCLUDE USING gist (numbers WITH &&, validity WITH &&)
);

CREATE TABLE packs (
    id text NOT NULL,
    version integer NOT NULL,
    sha256 bytea NOT NULL,
    text text NOT NULL,
    principal text NOT NULL,
    imported_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, version)
);

CREATE TABLE documents (
    id text PRIMARY KEY,
    operator text NOT NULL REFERENCES operators (id),
    kind text NOT NULL,
    reference text NOT NULL,
    valid_from timestamptz,
    valid_to timestamptz,
    sha256 bytea,
    detail jsonb NOT NULL DEFAULT '{}',
    recorded_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE restrictions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject_kind text NOT NULL,
    subject text NOT NULL,
    reason text NOT NULL,
    from_at timestamptz NOT NULL,
    to_at timestamptz,
    principal text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE consents (
    callee_hash bytea NOT NULL CONSTRAINT consents_hash CHECK (octet_length(callee_hash) = 8),
    operator integer NOT NULL REFERENCES operators (number),
    purpose smallint NOT NULL REFERENCES purposes (number),
    callee_sealed text NOT NULL,
    granted_at timestamptz,
    expires_at timestamptz,
    evidence_uri text,
    revoked_at timestamptz,
    change bigint NOT NULL,
    PRIMARY KEY (callee_hash, operator, purpose)
);
CREATE INDEX consents_change ON consents (change);

CREATE TABLE refusals (
    callee_hash bytea NOT NULL CONSTRAINT refusals_hash CHECK (octet_length(callee_hash) = 8),
    scope text NOT NULL
        CONSTRAINT refusals_scope CHECK (scope IN ('all', 'category', 'caller_prefix', 'caller', 'operator')),
    value text NOT NULL,
    callee_sealed text NOT NULL,
    declared_at timestamptz,
    withdrawn_at timestamptz,
    source text NOT NULL,
    change bigint NOT NULL,
    PRIMARY KEY (callee_hash, scope, value)
);
CREATE INDEX refusals_change ON refusals (change);

CREATE TABLE imports (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    name text NOT NULL,
    sha256 bytea NOT NULL,
    principal text NOT NULL,
    state text NOT NULL,
    staged_lines bigint NOT NULL DEFAULT 0,
    changed bigint NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
CREATE INDEX imports_sha256 ON imports (sha256);

-- Logged like any other table: an unlogged one is emptied by a crash, and a resumed import would miss rows.
CREATE TABLE staged_consents (
    import_id bigint NOT NULL,
    line bigint NOT NULL,
    callee_hash bytea NOT NULL,
    callee_sealed text NOT NULL,
    operator integer NOT NULL,
    purpose smallint NOT NULL,
    revoke boolean NOT NULL,
    at timestamptz NOT NULL,
    expires_at timestamptz,
    evidence_uri text
);
CREATE INDEX staged_consents_import ON staged_consents (import_id);

CREATE TABLE staged_refusals (
    import_id bigint NOT NULL,
    line bigint NOT NULL,
    callee_hash bytea NOT NULL,
    callee_sealed text NOT NULL,
    scope text NOT NULL,
    value text NOT NULL,
    withdraw boolean NOT NULL,
    at timestamptz NOT NULL,
    source text NOT NULL
);
CREATE INDEX staged_refusals_import ON staged_refusals (import_id);

CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    at timestamptz NOT NULL DEFAULT now(),
    kind text NOT NULL
);
CREATE INDEX outbox_order ON outbox (xid, id);

CREATE TABLE dataset (
    "only" boolean PRIMARY KEY DEFAULT true CONSTRAINT dataset_only CHECK ("only"),
    epoch bigint NOT NULL DEFAULT 0,
    buckets integer NOT NULL DEFAULT 0,
    outbox_floor bigint NOT NULL DEFAULT 0,
    key_check bytea
);
INSERT INTO dataset DEFAULT VALUES;

CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    principal text NOT NULL,
    action text NOT NULL,
    object text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_at ON audit (at);

CREATE TABLE tokens (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    sha256 bytea NOT NULL UNIQUE,
    role text NOT NULL,
    principal text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);

CREATE TABLE evidence (
    at timestamptz NOT NULL,
    journal text NOT NULL,
    seq bigint NOT NULL,
    kind text NOT NULL,
    id text NOT NULL,
    number text,
    party bytea,
    call_id text,
    record text NOT NULL,
    chain text NOT NULL,
    PRIMARY KEY (journal, seq, at)
) PARTITION BY RANGE (at);
CREATE INDEX evidence_id ON evidence (id);
CREATE INDEX evidence_number ON evidence (number, at) WHERE number IS NOT NULL;
CREATE INDEX evidence_party ON evidence (party, at) WHERE party IS NOT NULL;
CREATE INDEX evidence_call_id ON evidence ("left"(call_id, 255)) WHERE call_id IS NOT NULL;
CREATE INDEX evidence_decisions ON evidence (at) WHERE kind = 'decision';

CREATE TABLE checkpoints (
    journal text PRIMARY KEY,
    segment integer NOT NULL,
    "offset" bigint NOT NULL,
    seq bigint NOT NULL,
    chain text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
)
"""

APPEND_ONLY = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$
"""


def upgrade() -> None:
    """Make everything."""
    for statement in STATEMENTS.split(";\n"):
        op.execute(statement)
    op.execute(APPEND_ONLY)
    op.execute(
        "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    # Retention drops whole days of evidence; single records are never changed.
    op.execute(
        "CREATE TRIGGER evidence_append_only BEFORE UPDATE OR DELETE ON evidence "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
