"""Rotation of the keys of subscriber numbers: how far it is; which key an import is staged with; what each key was
in use for."""

from __future__ import annotations

from alembic import op

revision = "key_rotation"
down_revision = "packs_in_force"

STATEMENTS = """
CREATE TABLE key_rotations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    before bytea NOT NULL,
    after bytea NOT NULL,
    seal_before smallint NOT NULL,
    seal_after smallint NOT NULL,
    principal text NOT NULL,
    state text NOT NULL DEFAULT 'copying',
    reached bytea,
    rows bigint NOT NULL DEFAULT 0,
    total bigint NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL DEFAULT now(),
    switched_at timestamptz,
    finished_at timestamptz,
    CONSTRAINT key_rotations_state CHECK (state IN ('copying', 'copied', 'switched', 'done', 'given up'))
);
CREATE UNIQUE INDEX key_rotations_open ON key_rotations ((true)) WHERE state IN ('copying', 'copied', 'switched');

ALTER TABLE imports ADD COLUMN key_check bytea
"""


def upgrade() -> None:
    """What is being imported just now is read again from its first line: nobody noted its key."""
    for statement in STATEMENTS.split(";\n"):
        op.execute(statement)
