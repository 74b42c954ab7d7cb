"""Ships this node's journals into PostgreSQL, exactly once.

One pass per journal directory: read on from the checkpoint in PostgreSQL, store a batch and move the
checkpoint in one transaction, repeat until nothing is left. Whatever is killed between, the next pass
goes on at the checkpoint. While PostgreSQL is away the journals grow on disk and calls go on. A record that
PostgreSQL will not take is shipped bare (store/sql/evidence.py). A journal that does not follow on what was
shipped (altered, cut, exchanged) is left alone; the others go on. Whatever lasts is logged once a minute.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from asyncpg import InternalClientError, PostgresError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.repeats import Repeats
from gateway.settings import Settings, make_run_dir
from gateway.store.journal.lines import segment_path
from gateway.store.journal.reader import MAX_BATCH, JournalBroken, JournalForeign, JournalReader, Position
from gateway.store.ports import Conflict, StoreError
from gateway.store.sql.engine import SHORT_COMMAND_S, make_engine, mapped_errors
from gateway.store.sql.errors import describe, problem_kind
from gateway.store.sql.evidence import Checkpoint, Poisoned, ProvenRows, load_checkpoint, ship
from gateway.telemetry.logs import get_logger
from gateway.telemetry.metrics import Samples, Snapshot
from gateway.telemetry.stats_socket import serve_stats

POLL_S: Final = 0.25
"""Between two looks at journals where nothing was written: two or three stat(2) each."""

GATHER_S: Final = 0.5
"""Between passes while calls come in: what a transaction costs is shared by the records of so long. With POLL_S this is
how soon a call can be found by `callgate calls`."""

DROP_EVERY_S: Final = 10.0
"""How often shipped segments are looked through for those to delete."""

SETTLED_NS: Final = 100_000_000
"""A directory's time of change says that nothing changed since only when it is this old: the kernel's clock ticks."""

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
    poisoned: int = 0
    """Those of them that were stored bare."""
    problem: str = ""
    """Why it is not shipped; empty: it is."""
    seen: int = 0
    """The directory's time of change (ns) when all in it had been read; 0: not known."""
    dropped_at: float = -DROP_EVERY_S
    """When old segments were looked for last, on the shipper's clock."""


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
        self._repeats = Repeats(clock)
        self._seen = 0
        """As _Journal.seen, of the directory of all journals."""
        self.away = ""
        """Why PostgreSQL could not be used in the last pass; empty: it could."""

    async def ship_all(self) -> int:
        """One pass over all journals; how many records were stored. Raises nothing but what is a bug: a
        store that is away and a broken journal are kept in `away` and `problems`."""
        stored = 0
        self.away = ""
        for name, journal in self._find().items():
            try:
                stored += await self._ship(name, journal)
                journal.problem = ""
            except (JournalBroken, Conflict) as error:
                journal.position = None  # somebody may mend it: look again with PostgreSQL's own checkpoint
                self._report(name, journal, str(error), error)
            except StoreError as error:
                journal.position = None
                self.away = str(error)
                break
            except (OSError, ValueError, ArithmeticError, SQLAlchemyError, PostgresError, InternalClientError) as error:
                # A disk that fails, a database in no state to write (full, read-only, no rights).
                journal.position = None
                self._report(name, journal, f"journal {name}: {describe(error)}", error)
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
            changed = _settled(self._directory)
            if changed and changed == self._seen:
                return self._journals
            for path in sorted(self._directory.iterdir()):
                if path.is_dir() and path.name not in self._journals:
                    self._journals[path.name] = _Journal(JournalReader(path))
            self._seen = changed
        return self._journals

    async def _ship(self, name: str, journal: _Journal) -> int:
        """Everything one journal has now."""
        stored = 0
        if journal.position is None:
            if not await asyncio.to_thread(journal.reader.begun):
                return 0
            checked = await self._checkpoint(name)
            await asyncio.to_thread(_check, name, journal.reader, checked)
            journal.position = checked
        changed = _settled(journal.reader.directory)
        if not (changed and changed == journal.seen and _at_end(journal.reader.directory, journal.position)):
            stored = await self._ship_rest(name, journal)
            journal.seen = changed
        now = self._clock()
        if not 0 <= now - journal.dropped_at < DROP_EVERY_S:
            journal.dropped_at = now
            await asyncio.to_thread(journal.reader.drop_before, journal.position.segment, now - self._keep)
        return stored

    async def _ship_rest(self, name: str, journal: _Journal) -> int:
        """Everything after its position."""
        stored = 0
        assert journal.position is not None
        while True:
            before = journal.position
            rows, position = await asyncio.to_thread(journal.reader.read, before, BATCH_RECORDS)
            if rows:
                checkpoint = Checkpoint(position.segment, position.offset, position.seq, position.chain)
                batch = ProvenRows(rows, (before.seq, before.chain))
                with mapped_errors():
                    async with self._engine.begin() as connection:
                        shipped = await ship(connection, name, batch, checkpoint)
                stored += shipped.stored
                journal.shipped += shipped.stored
                self._report_poisoned(name, journal, shipped.poisoned)
            journal.position = position
            if len(rows) < BATCH_RECORDS and sum(len(row.payload) for row in rows) < MAX_BATCH:
                return stored

    async def _checkpoint(self, name: str) -> Position:
        with mapped_errors():
            async with self._engine.connect() as connection:
                found = await load_checkpoint(connection, name)
        if found is None or found.seq == 0:
            return Position()
        return Position(found.segment, found.offset, found.seq, found.chain)

    def _report(self, name: str, journal: _Journal, problem: str, error: Exception) -> None:
        if self._repeats.due(name, *problem_kind(error)):
            get_logger("shipper").error("journal is not shipped", journal=name, problem=problem)
        journal.problem = problem

    def _report_poisoned(self, name: str, journal: _Journal, poisoned: tuple[Poisoned, ...]) -> None:
        journal.poisoned += len(poisoned)
        for record in poisoned[-1:]:
            if self._repeats.due(name, "poisoned", *problem_kind(record.error)):
                get_logger("shipper").error(
                    "record shipped without the columns to search by: PostgreSQL would not take them",
                    journal=name, record=record.seq, problem=describe(record.error), so_far=journal.poisoned,
                )  # fmt: skip


def _settled(directory: Path) -> int:
    """When a name in it changed last (ns), 0 where that was just now. Raises OSError."""
    changed = os.stat(directory).st_mtime_ns
    return changed if time.time_ns() - changed > SETTLED_NS else 0


def _at_end(directory: Path, position: Position) -> bool:
    """Whether the segment that is being read ends there. False too where it is gone: the reader has to look."""
    try:
        return position.segment > 0 and os.stat(segment_path(directory, position.segment)).st_size == position.offset
    except FileNotFoundError:
        return False


def _check(name: str, reader: JournalReader, position: Position) -> None:
    """Do the journal on this disk and the checkpoint in PostgreSQL belong together? Raises JournalForeign."""
    try:
        reader.check(position)
    except JournalForeign as error:
        raise JournalForeign(
            f"{reader.directory} is not the journal that was shipped as {name}: PostgreSQL has record {position.seq}"
            f" of it with chain {position.chain.decode('ascii', 'replace')}, up to byte {position.offset} of segment"
            f" {position.segment}, but here {error}. Either the name was used before, or node.state_dir or database.url"
            f" is another node's. Stop the gateway; then put the directory back that belongs to this database (or the"
            f" settings right), or, to keep both, rename this directory to a name never used and give the node a"
            f" node.name never used: both are shipped then. Until then nothing of it is shipped and nothing is deleted."
        ) from error


async def run_shipper(settings: Settings, stop: asyncio.Event) -> None:
    """Ship until `stop` is set, then once more, so that what a drained worker wrote is there at the end."""
    engine = make_engine(settings.database.url, pool_size=1, command_s=SHORT_COMMAND_S, check=False)
    shipper = Shipper(settings.journal_dir, engine)
    make_run_dir(settings)
    server = await serve_stats(settings.shipper_socket, shipper.snapshot)
    log = get_logger("shipper")
    repeats = Repeats(time.monotonic)
    told = False
    try:
        while not stop.is_set():
            stored = await shipper.ship_all()
            if shipper.away:
                if repeats.due("away"):
                    log.warning("PostgreSQL is away: journals stay on disk", reason=shipper.away)
                    told = True
            elif told:
                told = False
                log.info("PostgreSQL is back")
            with suppress(TimeoutError):
                async with asyncio.timeout(
                    AWAY_S if shipper.away or shipper.problems() else GATHER_S if stored else POLL_S
                ):
                    await stop.wait()
        with suppress(TimeoutError):
            await asyncio.wait_for(shipper.ship_all(), LAST_PASS_S)
    finally:
        server.close()
        await server.wait_closed()
        await engine.dispose()
