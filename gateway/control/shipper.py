"""Ships this node's journals into PostgreSQL, exactly once.

One pass per journal directory: read on from the checkpoint in PostgreSQL, store a batch and move the
checkpoint in one transaction, repeat until nothing is left. Whatever is killed between, the next pass
goes on at the checkpoint. While PostgreSQL is away the journals grow on disk and calls go on. A journal
that does not follow on what was shipped (altered, cut, exchanged) is left alone and reported at every
pass; the others go on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from asyncpg import InterfaceError, PostgresError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.settings import Settings, make_run_dir
from gateway.store.journal.reader import JournalBroken, JournalReader, Position
from gateway.store.ports import Conflict, StoreError
from gateway.store.sql.engine import make_engine, mapped_errors
from gateway.store.sql.evidence import Checkpoint, ShippedRow, load_checkpoint, ship
from gateway.telemetry.logs import get_logger
from gateway.telemetry.metrics import Samples, Snapshot
from gateway.telemetry.stats_socket import serve_stats

POLL_S: Final = 0.1
"""Between passes when there was nothing left: how soon a call can be found by `callgate calls`."""

AWAY_S: Final = 1.0
"""Between passes while PostgreSQL is away or a journal is broken."""

BATCH_RECORDS: Final = 2_000
"""Records of one transaction: a few megabytes."""

KEEP_SHIPPED_S: Final = 900.0
"""A shipped segment stays this long: a restarted worker reads the last minutes back (`journal.recovery`)."""

LAST_PASS_S: Final = 5.0
"""At shutdown the rest is shipped if that can be done in this time; else it waits on disk."""


@dataclass(slots=True)
class _Journal:
    """One directory and where it stands."""

    reader: JournalReader
    position: Position | None = None
    """None: ask PostgreSQL."""
    shipped: int = 0
    """Records stored since this process began."""
    problem: str = ""
    """Why it is not shipped; empty: it is."""


class Shipper:
    """Ships every journal below a directory."""

    def __init__(
        self,
        directory: Path,
        engine: AsyncEngine,
        clock: Callable[[], float] = time.time,
        keep_s: float = KEEP_SHIPPED_S,
    ) -> None:
        """`directory` holds one journal directory per worker. `clock`: epoch seconds. `keep_s`: see
        KEEP_SHIPPED_S."""
        self._directory = directory
        self._engine = engine
        self._clock = clock
        self._keep = keep_s
        self._journals: dict[str, _Journal] = {}
        self._boot = f"{time.time():.6f}"
        self.away = ""
        """Why PostgreSQL could not be used in the last pass; empty: it could."""

    async def ship_all(self) -> int:
        """One pass over all journals; how many records were stored. Raises nothing but what is a bug: a
        store that is away and a broken journal are kept in `away` and `problems`."""
        stored = 0
        self.away = ""
        for name, journal in (await asyncio.to_thread(self._find)).items():
            try:
                stored += await self._ship(name, journal)
                journal.problem = ""
            except (JournalBroken, Conflict) as error:
                journal.position = None  # somebody may mend it: look again with PostgreSQL's own checkpoint
                self._report(name, journal, str(error))
            except StoreError as error:
                journal.position = None
                self.away = str(error)
                break
            except (OSError, ValueError, SQLAlchemyError, PostgresError, InterfaceError) as error:
                # A disk that fails, a record the database will not take, COPY cut off (asyncpg's own errors).
                journal.position = None
                self._report(name, journal, f"journal {name}: {error}")
        return stored

    def problems(self) -> dict[str, str]:
        """Journals that are not shipped, and why."""
        return {name: journal.problem for name, journal in self._journals.items() if journal.problem}

    def backlog(self) -> dict[str, int]:
        """Records on disk that are not in PostgreSQL yet, by journal; what is unknown counts from the
        beginning."""
        left = {}
        for name, journal in self._find().items():
            try:
                last = journal.reader.last_record()
            except OSError:
                continue
            left[name] = max(0, last - (journal.position.seq if journal.position else 0))
        return left

    def snapshot(self) -> Snapshot:
        """For the stats socket."""
        shipped: Samples = [((name,), float(journal.shipped)) for name, journal in self._journals.items()]
        backlog: Samples = [((name,), float(left)) for name, left in self.backlog().items()]
        samples = {"callgate_journal_shipped_total": shipped, "callgate_journal_backlog_records": backlog}
        return Snapshot("shipper", self._boot, samples, {})

    def _find(self) -> dict[str, _Journal]:
        with suppress(FileNotFoundError):
            for path in sorted(self._directory.iterdir()):
                if path.is_dir() and path.name not in self._journals:
                    self._journals[path.name] = _Journal(JournalReader(path))
        return self._journals

    async def _ship(self, name: str, journal: _Journal) -> int:
        """Everything one journal has now."""
        stored = 0
        if journal.position is None:
            journal.position = await self._checkpoint(name)
        while True:
            rows, position = await asyncio.to_thread(journal.reader.read, journal.position, BATCH_RECORDS)
            if rows:
                checkpoint = Checkpoint(position.segment, position.offset, position.seq, position.chain)
                batch = [ShippedRow(row.seq, row.payload, row.chain) for row in rows]
                with mapped_errors():
                    async with self._engine.begin() as connection:
                        count = await ship(connection, name, batch, checkpoint)
                stored += count
                journal.shipped += count
            journal.position = position
            if len(rows) < BATCH_RECORDS:
                break
        older_than = self._clock() - self._keep
        await asyncio.to_thread(journal.reader.drop_before, position.segment, older_than)
        return stored

    async def _checkpoint(self, name: str) -> Position:
        with mapped_errors():
            async with self._engine.connect() as connection:
                found = await load_checkpoint(connection, name)
        if found is None or found.seq == 0:
            return Position()
        return Position(found.segment, found.offset, found.seq, found.chain)

    def _report(self, name: str, journal: _Journal, problem: str) -> None:
        if journal.problem != problem:
            get_logger("shipper").error("journal is not shipped", journal=name, problem=problem)
        journal.problem = problem


async def run_shipper(settings: Settings, stop: asyncio.Event) -> None:
    """Ship until `stop` is set, then once more, so that what a drained worker wrote is there at the end."""
    engine = make_engine(settings.database.url, pool_size=1)
    shipper = Shipper(settings.journal_dir, engine)
    make_run_dir(settings)
    server = await serve_stats(settings.shipper_socket, shipper.snapshot)
    log = get_logger("shipper")
    away = ""
    try:
        while not stop.is_set():
            await shipper.ship_all()
            if shipper.away != away:
                away = shipper.away
                if away:
                    log.warning("PostgreSQL is away: journals stay on disk", reason=away)
                else:
                    log.info("PostgreSQL is back")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), AWAY_S if away or shipper.problems() else POLL_S)
        with suppress(TimeoutError):
            await asyncio.wait_for(shipper.ship_all(), LAST_PASS_S)
    finally:
        server.close()
        await server.wait_closed()
        await engine.dispose()
