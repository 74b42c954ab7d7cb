"""Connections: one URL in whatever spelling, one engine, and the driver's own connection where COPY needs
it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.store.ports import Conflict, Unavailable

CONNECT_S = 5.0
COMMAND_S = 600.0
"""The longest statement is the merge of a bulk import."""


def make_engine(url: str, *, pool_size: int = 5) -> AsyncEngine:
    """An engine for `postgresql://…` (or `postgresql+asyncpg://…`); connects on first use, checks before
    reuse."""
    return create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        connect_args={"timeout": CONNECT_S, "command_timeout": COMMAND_S},
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
    """Turn the driver's errors into `Unavailable` and `Conflict`, once, at this edge."""
    try:
        yield
    except IntegrityError as error:
        raise Conflict(str(error.orig)) from error
    except (OperationalError, InterfaceError, OSError, TimeoutError) as error:
        raise Unavailable(f"PostgreSQL is away: {error}") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Unavailable(f"PostgreSQL is away: {error}") from error
        raise
