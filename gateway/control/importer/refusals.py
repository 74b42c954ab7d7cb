"""Refusals: bulk import from CSV, declaration and withdrawal of one."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.importer.bulk import BulkKind, Progress, run_bulk
from gateway.control.importer.consents import known
from gateway.control.importer.csvfile import read_rows, text_problem
from gateway.control.importer.problems import ImportReport, Problems
from gateway.control.importer.subscriber import Subscribers
from gateway.control.importer.values import AHEAD_S, TIME_FIX, canonical_number, parse_time, time_text
from gateway.keys import Keys
from gateway.registry.model import Snapshot
from gateway.registry.numbering import NumberingPlan, mask
from gateway.store.sql import audit, dataset, outbox, refusals
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.imports import Import
from gateway.store.sql.refusals import SCOPES, RefusalEvent
from gateway.store.sql.registry import load_plan

REQUIRED = ("callee", "scope")
OPTIONAL = ("value", "event", "source", "registered_at")
DECLARE, WITHDRAW = "declare", "withdraw"
MAX_PREFIX = 15
"""Digits of a caller prefix: E.164's longest number."""


async def import_refusals(
    engine: AsyncEngine,
    path: str | os.PathLike[str],
    keys: Keys,
    principal: str,
    progress: Progress | None = None,
) -> ImportReport:
    """Import `callee,scope,value,event,source,registered_at`; `event` is declare (default) or withdraw. A
    declaration without a time happens now; a withdrawal needs one. Raises ImportRefused, Conflict,
    Unavailable, OSError."""
    subscribers = Subscribers(keys)

    def read(file: Path, snapshot: Snapshot, job: Import, problems: Problems) -> Iterator[tuple[int, RefusalEvent]]:
        return read_refusals(file, snapshot, subscribers, job.started_at, problems, job.staged_lines)

    bulk = BulkKind(outbox.REFUSALS, "staged_refusals", read, refusals.stage, refusals.merge)
    return await run_bulk(engine, bulk, Path(path), subscribers, principal, progress)


def read_refusals(
    file: Path, snapshot: Snapshot, subscribers: Subscribers, now: datetime, problems: Problems, skip_lines: int = 0
) -> Iterator[tuple[int, RefusalEvent]]:
    """(line, event) of each good row after `skip_lines`; the others are noted in `problems`. `now`: what an
    unknown time means. Raises OSError."""
    reader = _Reader(snapshot, subscribers, problems, now)
    for line, cells in read_rows(file, REQUIRED, OPTIONAL, problems, skip_lines):
        event = reader.event(line, *cells)
        if event is not None:
            yield line, event


async def add_refusal(
    engine: AsyncEngine,
    keys: Keys,
    callee: str,
    scope: str,
    value: str = "",
    source: str = "",
    at: datetime | None = None,
    *,
    principal: str,
) -> bool:
    """Record that `callee` declines. `scope`: all, category (`value`: purpose), caller_prefix, caller,
    operator. `at`: when (default now). True if that changed something. Raises ImportRefused, Conflict,
    Unavailable."""
    return await _single(engine, keys, (callee, scope, value, DECLARE, source, time_text(at)), principal)


async def withdraw_refusal(
    engine: AsyncEngine,
    keys: Keys,
    callee: str,
    scope: str,
    value: str = "",
    source: str = "",
    at: datetime | None = None,
    *,
    principal: str,
) -> bool:
    """Record that a refusal was taken back. Parameters, answer and errors as in `add_refusal`."""
    return await _single(engine, keys, (callee, scope, value, WITHDRAW, source, time_text(at)), principal)


async def _single(engine: AsyncEngine, keys: Keys, cells: tuple[str, ...], principal: str) -> bool:
    subscribers = Subscribers(keys)
    problems = Problems("refusal")
    callee, scope, value, event_name, source, registered_at = cells
    with mapped_errors():
        async with engine.begin() as connection:
            await dataset.claim_key(connection, subscribers.check)
            snapshot = await load_plan(connection)
            now = datetime.now(UTC)
            event = _Reader(snapshot, subscribers, problems, now).event(
                0, callee, scope, value, event_name, source, registered_at or now.isoformat()
            )
            problems.check()
            change = await outbox.announce(connection, outbox.REFUSALS)
            await refusals.stage(connection, -change, [event] if event else [])
            changed = await refusals.merge(connection, -change, change)
            detail = {
                "callee": mask(callee), "value": value, "source": source, "at": registered_at,
                "changed": changed,
            }  # fmt: skip
            await audit.record(connection, principal, f"refusal.{event_name}", scope, detail)
    return changed > 0


class _Reader:
    """Turns cells into events, noting what is wrong."""

    def __init__(self, snapshot: Snapshot, subscribers: Subscribers, problems: Problems, now: datetime) -> None:
        self._plan = NumberingPlan(snapshot.plan, snapshot.emergency, snapshot.country, snapshot.zone)
        self._operators = {operator.id: operator.number for operator in snapshot.operators}
        self._purposes = snapshot.purposes
        self._subscribers = subscribers
        self._problems = problems
        self._now = now
        self._latest = datetime.fromtimestamp(time.time(), UTC) + timedelta(seconds=AHEAD_S)

    def event(
        self, line: int, callee: str, scope: str, value: str, event: str, source: str, registered_at: str
    ) -> RefusalEvent | None:
        add = self._problems.add
        before = len(self._problems.found)
        number, fix = canonical_number(self._plan, callee)
        if fix:
            add(line, "callee", callee, fix)
        if scope not in SCOPES:
            add(line, "scope", scope, f"write one of {', '.join(SCOPES)}")
        elif fix := self._value_problem(scope, value):
            add(line, "value", value or "(empty)", fix)
        withdraw = event.lower() == WITHDRAW
        if not withdraw and event.lower() not in ("", DECLARE):
            add(line, "event", event, f"write {DECLARE} or {WITHDRAW}")
        if fix := text_problem(source):
            add(line, "source", source, fix)
        at = parse_time(registered_at) if registered_at else self._now
        if at is None:
            add(line, "registered_at", registered_at, TIME_FIX)
        elif withdraw and not registered_at:
            add(line, "registered_at", "(empty)", f"a withdrawal needs its time: {TIME_FIX}")
        elif at > self._latest:
            add(line, "registered_at", registered_at, "write a time that is not ahead of now by more than 5 minutes")
        if at is None or len(self._problems.found) > before:
            return None
        return RefusalEvent(
            line, self._subscribers.hash(number), self._subscribers.seal(number), scope, value, withdraw, at,
            source,
        )  # fmt: skip

    def _value_problem(self, scope: str, value: str) -> str:
        if scope == "all":
            return "leave it empty: the scope is all" if value else ""
        if scope == "category":
            return "" if value in self._purposes else f"name one of the purposes ({known(self._purposes)})"
        if scope == "operator":
            return "" if value in self._operators else f"name one of the operators ({known(self._operators)})"
        if scope == "caller":
            return canonical_number(self._plan, value)[1]
        digits = value.removeprefix("+")
        if digits.isascii() and digits.isdigit() and len(digits) <= MAX_PREFIX:
            return ""
        return "write the first digits of canonical numbers, e.g. +86571 or 950"
