"""What the files of the schema share."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, MetaData, Text, text
from sqlalchemy.dialects.postgresql import ARRAY

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


def text_column(name: str) -> Column[object]:
    """Text that may be empty."""
    return Column(name, Text, nullable=False, server_default=text("''::text"))


def texts_column(name: str) -> Column[object]:
    """A list of texts, empty by default."""
    return Column(name, ARRAY(Text), nullable=False, server_default=text("'{}'::text[]"))
