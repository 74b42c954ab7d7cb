"""Papers, life cycle and scope of numbers, penalties, registry versions."""

from __future__ import annotations

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Nothing yet."""
