"""Connections: one URL in whatever spelling, one engine, and the driver's own connection where COPY needs
it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from asyncpg import IntegrityConstraintViolationError, InterfaceError, PostgresError
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.store.ports import Conflict, Unavailable
from gateway.store.sql.errors import describe, is_away

CONNECT_S = 5.0
COMMAND_S = 600.0
"""The longest statement is the merge of a bulk import."""
SHORT_COMMAND_S = 10.0
"""For whoever has short statements only (shipper, projector, health): a server that is frozen is noticed by it."""


def make_engine(
    url: str, *, pool_size: int = 5, command_s: float = COMMAND_S, check: bool = True
) -> AsyncEngine:
    """An engine for `postgresql://…` (or `postgresql+asyncpg://…`); connects on first use. `command_s`: seconds a
    statement may take. `check`: ask before a connection is used again; not for whoever tries again anyway."""
    return create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=check,
        connect_args={"timeout": CONNECT_S, "command_timeout": command_s},
    )


def plain_url(url: str) -> str:
    """The same URL as asyncpg itself reads it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


async def driver(connection: AsyncConnection) -> Any:
    """The asyncpg connection under `connection`, inside its transaction (for COPY and cursors).

    SQLAlchemy begins the transaction with the first statement: execute one before.
    """
    return (await connection.get_raw_connection()).driver_connection


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Turn SQLAlchemy's errors, and the driver's own where it is used bare (COPY, cursors), into `Unavailable` and
    `Conflict`, once, at this edge. What is neither comes through as it is."""
    try:
        yield
    except (IntegrityError, IntegrityConstraintViolationError) as error:
        words = str(error.orig) if isinstance(error, IntegrityError) else ""
        raise Conflict(words or describe(error)) from error
    except (DBAPIError, PostgresError, InterfaceError, OSError, TimeoutError) as error:
        if is_away(error):
            raise Unavailable(f"PostgreSQL is away: {describe(error)}") from error
        raise
