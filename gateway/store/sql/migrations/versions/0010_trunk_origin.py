"""Where a trunk's calls come from, and the header in which it states what they are for."""

from __future__ import annotations

from alembic import op

revision = "trunk_origin"
down_revision = "ladder"

COLUMNS = """
origin text NOT NULL DEFAULT 'domestic' CONSTRAINT trunks_origin CHECK (origin IN ('domestic', 'foreign'))
purpose_header text NOT NULL DEFAULT ''
"""


def upgrade() -> None:
    """Trunks that are there are domestic, and the filing of their numbers says what calls are for."""
    for column in COLUMNS.strip().splitlines():
        op.execute(f"ALTER TABLE trunks ADD COLUMN {column}")
