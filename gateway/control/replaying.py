"""Recorded decisions judged again, by the million: stretches of time side by side, one process a core.

Each process reads its stretches by a server-side cursor and tells only what differs, so memory stays the same whatever
is stored. No call and no record is touched."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.importer.problems import NO_PACK
from gateway.control.replay_part import Part, Stretch, Task, replay_part
from gateway.control.side_process import SideProcess
from gateway.gate.pack import Pack
from gateway.gate.pack_set import load_stored
from gateway.gate.records import DecisionRecord
from gateway.store.ports import StoreError, Unavailable
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.packs import texts_in_force

FEW = 20_000
"""Decisions up to which starting processes costs more than they save."""
MAX_PROCESSES = 16
STRETCHES = 128
"""Parts of the whole: the bar moves by them, and no process waits long for the last one."""
AHEAD = 2
"""Stretches a process has before it, so that it never waits for the next."""
_MODULE = "gateway.control.replay_part"
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Told = Callable[[int, int, int], None]
"""Called with (stretches done, all of them, decisions judged)."""


async def replay_all(
    engine: AsyncEngine, task: Task, since: datetime | None, until: datetime | None, tell: Told | None = None
) -> Part:
    """Judge the decisions of [since, until) again. Raises PackError, Unavailable."""
    judges = task.judges()
    with mapped_errors():
        begin, end, few = await _extent(engine, task, since, until)
        if few:
            return await replay_part(engine, judges, task, Stretch(begin, end))
    found = Part()
    stretches = _stretches(begin, end)
    done = 0
    async for part in _side_by_side(task, iter(stretches)):
        found.add(part, task.listed)
        done += 1
        if tell is not None:
            tell(done, len(stretches), found.judged)
    return found


async def in_force(engine: AsyncEngine) -> dict[str, str]:
    """Id to text of the packs in force."""
    with mapped_errors():
        async with engine.connect() as connection:
            return await texts_in_force(connection)


async def pack_of(engine: AsyncEngine, record: DecisionRecord) -> Pack:
    """The pack in force that judges such a call now. Raises PackError, StoreError where there is none."""
    texts = await in_force(engine)
    if not texts:
        raise StoreError(NO_PACK)
    facts = record.facts
    return load_stored(texts, "the registry").of(record.trunk, facts.operator_class if facts is not None else "")


async def _extent(
    engine: AsyncEngine, task: Task, since: datetime | None, until: datetime | None
) -> tuple[int, int, bool]:
    """Time of the first decision, that behind the last one (epoch microseconds), and whether there are few."""
    conditions, values = ["kind = 'decision'"], dict[str, Any](few=FEW + 1)
    for clause, name, value in (
        ("at >= :since", "since", since),
        ("at < :until", "until", until),
        ("id >= :decision AND id < :decision || 'g'", "decision", task.decision or None),
    ):
        if value is not None:
            conditions.append(clause)
            values[name] = value
    where = " AND ".join(conditions)
    async with engine.connect() as connection:
        row = await connection.execute(
            text(
                f"SELECT (SELECT min(at) FROM evidence WHERE {where}), (SELECT max(at) FROM evidence WHERE {where}), "
                f"(SELECT count(*) FROM (SELECT FROM evidence WHERE {where} LIMIT :few) AS first)"
            ),
            values,
        )
        first, last, count = row.one()
    if first is None:
        return 0, 0, True
    return (first - _EPOCH) // _MICROSECOND, (last - _EPOCH) // _MICROSECOND + 1, count <= FEW


def _stretches(begin: int, end: int) -> list[Stretch]:
    """[begin, end) in equal parts, in order."""
    edges = sorted({begin + (end - begin) * number // STRETCHES for number in range(STRETCHES + 1)})
    return [Stretch(low, high) for low, high in pairwise(edges)]


async def _side_by_side(task: Task, stretches: Iterator[Stretch]) -> AsyncIterator[Part]:
    encode = msgspec.msgpack.encode
    processes = min(MAX_PROCESSES, len(os.sched_getaffinity(0)))
    pool = [await SideProcess.start(_MODULE, encode(task)) for _ in range(processes)]
    try:
        waiting: deque[SideProcess] = deque()
        for number, stretch in enumerate(islice(stretches, AHEAD * processes)):
            process = pool[number % processes]
            process.send(encode(stretch))
            waiting.append(process)
        while waiting:
            process = waiting.popleft()
            try:
                part = msgspec.msgpack.decode(await process.receive(), type=Part)
            except EOFError:
                raise Unavailable("a process that judges decisions ended: is PostgreSQL there? Run it again") from None
            following = next(stretches, None)
            if following is not None:
                process.send(encode(following))
                waiting.append(process)
            yield part
    finally:
        for process in pool:
            await process.end()
