"""Counts what is wrong with papers and what ends soon, for /metrics: once a minute, off the path of every request."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.record import load_record
from gateway.control.registry_admin.report import report_of
from gateway.registry.papers_check import WARN_DAYS
from gateway.store.ports import StoreError
from gateway.store.sql.engine import mapped_errors
from gateway.telemetry.metrics import Samples

EVERY_S: Final = 60.0
FIRST_S: Final = 5.0
"""After the start, when the database is made and filled."""
LEVELS: Final = ("bar", "hold", "note")


class PapersWatch:
    """One run; while the database is away the last counts stay."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._samples: dict[str, Samples] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Count until `stop`."""
        pause = FIRST_S
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
                return
            with suppress(StoreError):  # health tells when the database is away
                await self.count(time.time())
            pause = EVERY_S

    async def count(self, now: float) -> None:
        """Count once. `now`: epoch seconds. Raises StoreError."""
        with mapped_errors():
            async with self._engine.connect() as connection:
                record = await load_record(connection)
        report = await asyncio.to_thread(report_of, record, now)
        days = Counter(one.days for one in report.expiring)
        levels = Counter(issue.level for issue in report.issues)
        self._samples = {
            "callgate_papers_expiring": [((str(limit),), float(days[limit])) for limit in (*WARN_DAYS, 0)],
            "callgate_papers_issues": [((level,), float(levels[level])) for level in LEVELS],
        }

    def samples(self) -> Mapping[str, Samples]:
        """For /metrics. Empty until the first count."""
        return self._samples
