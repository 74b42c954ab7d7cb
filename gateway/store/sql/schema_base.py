"""What the files of the schema share."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, MetaData, text

metadata = MetaData()
_NOW = text("now()")


def time_column(name: str, *, required: bool = False, now: bool = False) -> Column[object]:
    """A timestamptz. `now`: when the row was written, unless something else is given."""
    return Column(
        name,
        DateTime(timezone=True),
        nullable=not (required or now),
        server_default=_NOW if now else None,
    )
