"""What a projector expects to go wrong, and how long it waits then."""

from __future__ import annotations

import time

from asyncpg import InterfaceError, InternalClientError, PostgresError
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from gateway.control.redis_writer import FenceLost
from gateway.store.ports import StoreError

FAILURES = (
    StoreError, SQLAlchemyError, PostgresError, InterfaceError, InternalClientError, RedisError, FenceLost, OSError,
    TimeoutError,
)  # fmt: skip
FIRST_PAUSE_S = 0.1
"""Pause after a first failure; it doubles with each one that follows."""
BACKOFF_S = 2.0
"""Longest pause after a failure."""
STABLE_S = 5.0
"""After having worked this long a failure is answered with the shortest pause again."""


class Pause:
    """How long to wait after each failure."""

    def __init__(self) -> None:
        self._pause = FIRST_PAUSE_S / 2
        self._began = time.monotonic()

    def after_failure(self) -> float:
        """Seconds."""
        worked = time.monotonic() - self._began
        self._pause = FIRST_PAUSE_S if worked > STABLE_S + self._pause else min(2 * self._pause, BACKOFF_S)
        self._began = time.monotonic()
        return self._pause
