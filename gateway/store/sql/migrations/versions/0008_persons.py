"""Tokens name the person who holds them, and may be bound to a resale operator."""

from __future__ import annotations

from alembic import op

revision = "persons"
down_revision = "key_rotation"

STATEMENTS = """
ALTER TABLE tokens ADD COLUMN person text;
UPDATE tokens SET person = name;
ALTER TABLE tokens
    ALTER COLUMN person SET NOT NULL,
    ADD COLUMN home text,
    DROP CONSTRAINT tokens_role,
    ADD CONSTRAINT tokens_role CHECK (role IN ('viewer', 'operator', 'resale', 'compliance', 'admin')),
    ADD CONSTRAINT tokens_home CHECK ((role = 'resale') = (home IS NOT NULL))
"""


def upgrade() -> None:
    """Tokens that are there were each made for one of their own: their names say whom."""
    for statement in STATEMENTS.split(";\n"):
        op.execute(statement)
