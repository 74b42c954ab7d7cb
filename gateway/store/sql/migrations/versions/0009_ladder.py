"""What is limited and counted: channels and calls per second of trunks; restrictions the ladder made, their notices and
appeals."""

from __future__ import annotations

from alembic import op

revision = "ladder"
down_revision = "persons"


def upgrade() -> None:
    """Trunks that are there have no limits; restrictions that are there were made by people."""
    for column in ("channels", "cps"):
        op.execute(f"ALTER TABLE trunks ADD COLUMN {column} integer NOT NULL DEFAULT 0")
    for column in ("origin", "notice", "appeal"):
        op.execute(f"ALTER TABLE restrictions ADD COLUMN {column} text NOT NULL DEFAULT ''")
    for column in ("notice_at", "appeal_at"):
        op.execute(f"ALTER TABLE restrictions ADD COLUMN {column} timestamptz")
    op.execute("CREATE UNIQUE INDEX restrictions_origin ON restrictions (origin) WHERE origin <> ''")
