"""Counts what is wrong with papers and what ends soon, for /metrics: when the registry changed, and once an hour."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.record import load_record
from gateway.control.registry_admin.report import report_of
from gateway.registry.papers_check import WARN_DAYS
from gateway.store.ports import StoreError
from gateway.store.sql.engine import mapped_errors
from gateway.telemetry.logs import get_logger
from gateway.telemetry.metrics import Samples

LOOK_S: Final = 10.0
"""Between two looks at the registry's version."""
EVERY_S: Final = 3_600.0
"""Between two counts where nothing changes: papers run out by themselves. A count reads the whole registry."""

_log = get_logger(__name__)


class PapersWatch:
    """One run; while the database is away the last counts stay."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._samples: dict[str, Samples] = {}
        self._version = -1
        self._counted = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Count until `stop`."""
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_S)
                return
            try:
                await self.look(time.time())
            except StoreError:
                continue  # health tells when the database is away
            except Exception as error:  # a report must not end the process that projects
                _log.warning("papers could not be counted", error=str(error))

    async def look(self, now: float) -> None:
        """Count if the registry changed or an hour is over. `now`: epoch seconds. Raises StoreError."""
        with mapped_errors():
            async with self._engine.connect() as connection:
                row = await connection.execute(text("SELECT version FROM registry_state"))
                version = int(row.scalar_one())
        if version != self._version or now - self._counted >= EVERY_S:
            await self.count(now)
            self._version, self._counted = version, now

    async def count(self, now: float) -> None:
        """Count once. `now`: epoch seconds. Raises StoreError."""
        with mapped_errors():
            async with self._engine.connect() as connection:
                record = await load_record(connection)
        report = await asyncio.to_thread(report_of, record, now)
        days = Counter(one.days for one in report.expiring)
        self._samples = {
            "callgate_papers_expiring": [((str(limit),), float(days[limit])) for limit in (*WARN_DAYS, 0)],
            "callgate_papers_issues": [((level,), float(count)) for level, count in report.counts.items()],
        }

    def samples(self) -> Mapping[str, Samples]:
        """For /metrics. Empty until the first count."""
        return self._samples
