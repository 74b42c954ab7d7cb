"""What an error of the database says: it is away, it is in no state to write, or it will not take this row.

SQLAlchemy wraps the driver's errors; COPY and cursors, which go past it, raise them bare. Both are read here.
"""

from __future__ import annotations

from typing import Final

from asyncpg import InterfaceError
from sqlalchemy import exc

from gateway.store.ports import StoreError

AWAY_CLASS: Final = "08"
"""SQLSTATE class of connection exceptions (PostgreSQL appendix A)."""

AWAY_STATES: Final = frozenset(("53300", "57P01", "57P02", "57P03", "57P05"))
"""Too many connections, shutdown by the administrator, after a crash, starting up, idle session ended."""

STATE_CLASSES: Final = frozenset(
    ("08", "25", "26", "28", "2D", "34", "3D", "3F", "40", "42", "53", "55", "57", "58", "72", "F0")
)
"""SQLSTATE classes that speak of connection, transaction, schema, rights, resources (disk full) or files: whatever is
written would fail. All others may be the fault of one row: its data, an index entry that is too long, a trigger."""

MAX_WORDS: Final = 240
"""Characters of an error's own words that go into a log line or an answer."""


def driver_error(error: BaseException) -> BaseException:
    """The driver's own error below SQLAlchemy's and below a StoreError; the error itself where there is none."""
    error = _mapped(error)
    if isinstance(error, exc.DBAPIError) and error.orig is not None:
        return error.orig.__cause__ or error.orig
    return error


def _mapped(error: BaseException) -> BaseException:
    return error.__cause__ or error if isinstance(error, StoreError) else error


def sqlstate(error: BaseException) -> str:
    """Five characters, or nothing where the error has none."""
    return str(getattr(driver_error(error), "sqlstate", None) or "")


def is_away(error: BaseException) -> bool:
    """The database cannot be reached or takes no connection: try again later, with nothing changed."""
    error = _mapped(error)
    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return True
    state = sqlstate(error)
    if state:
        return state[:2] == AWAY_CLASS or state in AWAY_STATES
    away = (exc.InterfaceError, exc.OperationalError, InterfaceError, OSError, TimeoutError)
    return isinstance(error, away) or isinstance(driver_error(error), away)


def is_row_error(error: BaseException) -> bool:
    """What was to be written may be the cause."""
    state = sqlstate(error)
    return state[:2] not in STATE_CLASSES if state else isinstance(error, ValueError | ArithmeticError)


def problem_kind(error: BaseException) -> tuple[str, str]:
    """Class and SQLSTATE: the same for a lasting problem, whatever numbers its text has."""
    return type(driver_error(error)).__name__, sqlstate(error)


def describe(error: BaseException) -> str:
    """One short line: class, SQLSTATE, the first of its words. No statement, no DETAIL: they hold rows."""
    kind = " ".join(filter(None, problem_kind(error)))
    words = str(driver_error(error)).strip().partition("\n")[0]
    return f"{kind}: {words[:MAX_WORDS]}" if words else kind
