"""How trunks are recognised: source ports, transports, TLS names, digest accounts; and `needs_asserted`."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

COLUMNS = """
needs_asserted boolean NOT NULL DEFAULT false
ports integer[] NOT NULL DEFAULT '{}'
transports text[] NOT NULL DEFAULT '{}'
tls_names text[] NOT NULL DEFAULT '{}'
digest jsonb NOT NULL DEFAULT '[]'
algorithms text[] NOT NULL DEFAULT '{SHA-256,SHA-512-256}'
"""


def upgrade() -> None:
    """Trunks that are there are recognised as before."""
    for column in COLUMNS.strip().splitlines():
        op.execute(f"ALTER TABLE trunks ADD COLUMN {column}")
