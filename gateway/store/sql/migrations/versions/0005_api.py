"""Tokens with operator, scopes and expiry; idempotency keys; approvals; uploads."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"

STATEMENTS = """
UPDATE tokens SET role = 'admin' WHERE role = 'engineer';
ALTER TABLE tokens
    ADD COLUMN operator text REFERENCES operators (id),
    ADD COLUMN scopes text[] NOT NULL DEFAULT '{read}',
    ADD COLUMN expires_at timestamptz,
    ADD CONSTRAINT tokens_role CHECK (role IN ('viewer', 'operator', 'compliance', 'admin')),
    ADD CONSTRAINT tokens_operator CHECK ((role = 'operator') = (operator IS NOT NULL));

CREATE TABLE idempotency_keys (
    token bigint NOT NULL REFERENCES tokens (id),
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    status integer,
    content_type text,
    body bytea,
    PRIMARY KEY (token, key)
);
CREATE INDEX idempotency_keys_at ON idempotency_keys (at);

CREATE TABLE approvals (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    subject text NOT NULL,
    payload jsonb NOT NULL,
    reason text NOT NULL,
    operator text,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'pending',
    decided_by text,
    decided_at timestamptz,
    note text NOT NULL DEFAULT '',
    CONSTRAINT approvals_state CHECK (state IN ('pending', 'approved', 'rejected')),
    CONSTRAINT approvals_decided CHECK ((state = 'pending') = (decided_by IS NULL)),
    CONSTRAINT approvals_two_persons CHECK (state <> 'approved' OR decided_by <> requested_by)
);
CREATE INDEX approvals_pending ON approvals (kind, subject) WHERE state = 'pending';

CREATE TABLE uploads (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    name text NOT NULL,
    sha256 bytea NOT NULL,
    principal text NOT NULL,
    operator text,
    node text NOT NULL,
    dry_run boolean NOT NULL,
    state text NOT NULL DEFAULT 'running',
    rows bigint NOT NULL DEFAULT 0,
    changed bigint NOT NULL DEFAULT 0,
    version bigint NOT NULL DEFAULT 0,
    detail text NOT NULL DEFAULT '',
    problems jsonb NOT NULL DEFAULT '[]',
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    CONSTRAINT uploads_state CHECK (state IN ('running', 'done', 'refused', 'failed'))
)
"""


def upgrade() -> None:
    """Tokens that are there keep what their role may do, which until now was nothing: reading alone."""
    for statement in STATEMENTS.split(";\n"):
        op.execute(statement)
