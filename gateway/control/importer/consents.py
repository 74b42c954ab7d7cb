"""Consents: bulk import from CSV, grant and revoke of one."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.importer.bulk import BulkKind, Progress, run_bulk
from gateway.control.importer.csvfile import read_rows, text_problem
from gateway.control.importer.problems import ImportReport, Problems
from gateway.control.importer.subscriber import Subscribers
from gateway.control.importer.values import AHEAD_S, TIME_FIX, UNKNOWN_TIME, canonical_number, parse_time, time_text
from gateway.keys import Keys
from gateway.registry.model import Snapshot
from gateway.registry.numbering import NumberingPlan, mask
from gateway.store.sql import audit, consents, dataset, outbox
from gateway.store.sql.consents import ConsentEvent
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.imports import Import
from gateway.store.sql.registry import load_plan

REQUIRED = ("callee", "operator", "purpose", "granted_at")
OPTIONAL = ("expires_at", "evidence_uri", "event")
GRANT, REVOKE = "grant", "revoke"


async def import_consents(
    engine: AsyncEngine,
    path: str | os.PathLike[str],
    keys: Keys,
    principal: str,
    progress: Progress | None = None,
) -> ImportReport:
    """Import `callee,operator,purpose,granted_at,expires_at,evidence_uri[,event]`; `event` is grant
    (default) or revoke, `granted_at` its time. A grant without a time counts as older than any revoke; a
    revoke without one happens now. Raises ImportRefused, Conflict, Unavailable, OSError."""
    subscribers = Subscribers(keys)

    def read(file: Path, snapshot: Snapshot, job: Import, problems: Problems) -> Iterator[tuple[int, ConsentEvent]]:
        return read_consents(file, snapshot, subscribers, job.started_at, problems, job.staged_lines)

    bulk = BulkKind(outbox.CONSENTS, "staged_consents", read, consents.stage, consents.merge)
    return await run_bulk(engine, bulk, Path(path), subscribers, principal, progress)


def read_consents(
    file: Path, snapshot: Snapshot, subscribers: Subscribers, now: datetime, problems: Problems, skip_lines: int = 0
) -> Iterator[tuple[int, ConsentEvent]]:
    """(line, event) of each good row after `skip_lines`; the others are noted in `problems`. `now`: what an
    unknown time means. Raises OSError."""
    reader = _Reader(snapshot, subscribers, problems, now)
    for line, cells in read_rows(file, REQUIRED, OPTIONAL, problems, skip_lines):
        event = reader.event(line, *cells)
        if event is not None:
            yield line, event


async def grant_consent(
    engine: AsyncEngine,
    keys: Keys,
    callee: str,
    operator: str,
    purpose: str,
    expires_at: datetime | None = None,
    evidence_uri: str | None = None,
    at: datetime | None = None,
    *,
    principal: str,
) -> bool:
    """Record that `callee` allows `operator` to call for `purpose`. `at`: when (default now).

    True if that changed something; False where a newer event overrules it. Raises ImportRefused, Conflict,
    Unavailable."""
    cells = (callee, operator, purpose, time_text(at), time_text(expires_at), evidence_uri or "", GRANT)
    return await _single(engine, keys, cells, principal)


async def revoke_consent(
    engine: AsyncEngine,
    keys: Keys,
    callee: str,
    operator: str,
    purpose: str,
    at: datetime | None = None,
    *,
    principal: str,
) -> bool:
    """Record that `callee` took the consent back. Parameters, answer and errors as in `grant_consent`."""
    return await _single(engine, keys, (callee, operator, purpose, time_text(at), "", "", REVOKE), principal)


async def _single(engine: AsyncEngine, keys: Keys, cells: tuple[str, ...], principal: str) -> bool:
    subscribers = Subscribers(keys)
    problems = Problems("consent")
    callee, operator, purpose, granted_at, expires_at, evidence_uri, event_name = cells
    with mapped_errors():
        async with engine.begin() as connection:
            await dataset.claim_key(connection, subscribers.check)
            snapshot = await load_plan(connection)
            now = datetime.now(UTC)
            event = _Reader(snapshot, subscribers, problems, now).event(
                0, callee, operator, purpose, granted_at or now.isoformat(), expires_at, evidence_uri, event_name
            )
            problems.check()
            change = await outbox.announce(connection, outbox.CONSENTS)
            await consents.stage(connection, -change, [event] if event else [])
            changed = await consents.merge(connection, -change, change)
            detail = {
                "callee": mask(callee), "operator": operator, "purpose": purpose, "at": granted_at,
                "expires_at": expires_at, "changed": changed,
            }  # fmt: skip
            await audit.record(connection, principal, f"consent.{event_name}", operator, detail)
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
        self,
        line: int,
        callee: str,
        operator: str,
        purpose: str,
        granted_at: str,
        expires_at: str,
        evidence_uri: str,
        event: str,
    ) -> ConsentEvent | None:
        add = self._problems.add
        before = len(self._problems.found)
        number, fix = canonical_number(self._plan, callee)
        if fix:
            add(line, "callee", callee, fix)
        operator_number = self._operators.get(operator, 0)
        if not operator_number:
            add(line, "operator", operator, f"name one of the operators ({known(self._operators)})")
        purpose_number = self._purposes.get(purpose, 0)
        if not purpose_number:
            add(line, "purpose", purpose, f"name one of the purposes ({known(self._purposes)})")
        revoke = event.lower() == REVOKE
        if not revoke and event.lower() not in ("", GRANT):
            add(line, "event", event, f"write {GRANT} or {REVOKE}")
        at = parse_time(granted_at) if granted_at else (self._now if revoke else UNKNOWN_TIME)
        if at is None:
            add(line, "granted_at", granted_at, TIME_FIX)
        elif at > self._latest:
            add(line, "granted_at", granted_at, "write a time that is not ahead of now by more than 5 minutes")
        expires = parse_time(expires_at) if expires_at else None
        if expires_at and expires is None:
            add(line, "expires_at", expires_at, TIME_FIX)
        elif expires and at and expires <= at:
            add(line, "expires_at", expires_at, "write a time after granted_at, or leave it empty")
        if evidence_uri and (fix := text_problem(evidence_uri)):
            add(line, "evidence_uri", evidence_uri, fix)
        if at is None or len(self._problems.found) > before:
            return None
        return ConsentEvent(
            line, self._subscribers.hash(number), self._subscribers.seal(number), operator_number,
            purpose_number, revoke, at, expires, evidence_uri or None,
        )  # fmt: skip


def known(names: dict[str, int]) -> str:
    """The first few names there are, for a message."""
    return ", ".join(sorted(names)[:8]) or "there are none yet"
