"""Tokens name the person who holds them."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0005"

STATEMENTS = """
ALTER TABLE tokens ADD COLUMN person text;
UPDATE tokens SET person = name;
ALTER TABLE tokens ALTER COLUMN person SET NOT NULL
"""


def upgrade() -> None:
    """Tokens that are there were each made for one of their own: their names say whom."""
    for statement in STATEMENTS.split(";\n"):
        op.execute(statement)
