"""A part of a replay: the decisions of one stretch of time, read in batches and judged again.

Run by `replaying` in its own process, or as a process beside it, when there are many."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.side_process import serve
from gateway.gate.pack_read import load_pack
from gateway.gate.pack_set import load_stored
from gateway.gate.records import DecisionRecord
from gateway.gate.replay import Judges, Replayed, tried
from gateway.store.sql.engine import driver, make_engine

BATCH = 1_000
"""Decisions in memory at once: two megabytes."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Task(msgspec.Struct):
    """What all parts have in common."""

    url: str
    packs: dict[str, str]
    """The packs in force, id to text."""
    pack: str = ""
    """Text of the one that is tried; empty: those in force are."""
    name: str = ""
    """Its file's."""
    trunk: str = ""
    """Only this trunk's calls."""
    decision: str = ""
    """Only decisions whose id begins so."""
    listed: int = 1_000
    """Decisions that differ to tell one by one."""

    def judges(self) -> Judges:
        """Raises PackError."""
        in_force = load_stored(self.packs, "the registry") if self.packs else None
        if self.pack:
            one = load_pack(self.pack, self.name)
            return Judges(tried(in_force, one), one.id)
        if in_force is None:
            raise ValueError("no pack")
        return Judges(in_force)


class Stretch(msgspec.Struct):
    """Decisions of [begin, end), epoch microseconds."""

    begin: int
    end: int


class Part(msgspec.Struct):
    """What came of a stretch, or of many."""

    judged: int = 0
    """Decisions that were read and are the tried pack's."""
    others: int = 0
    """Decisions that another pack judges."""
    changed: dict[str, dict[str, int]] = {}
    """Rule then to rule now to how many; `allow` for none."""
    untold: dict[str, int] = {}
    """Why decisions cannot be judged again to how many."""
    listed: list[Replayed] = []
    """The first that differ, by time."""

    def note(self, found: Replayed | None, most: int) -> None:
        """Count one decision."""
        if found is None:
            self.others += 1
            return
        self.judged += 1
        if not found.now:
            self.untold[found.reason] = self.untold.get(found.reason, 0) + 1
        elif found.differs:
            now = self.changed.setdefault(found.was, {})
            now[found.now] = now.get(found.now, 0) + 1
            if len(self.listed) < most:
                self.listed.append(found)

    def add(self, other: Part, most: int) -> None:
        """Take in what came of a later stretch."""
        self.judged += other.judged
        self.others += other.others
        for was, found in other.changed.items():
            now = self.changed.setdefault(was, {})
            for rule, count in found.items():
                now[rule] = now.get(rule, 0) + count
        for why, count in other.untold.items():
            self.untold[why] = self.untold.get(why, 0) + count
        self.listed += other.listed[: most - len(self.listed)]

    @property
    def differing(self) -> int:
        """Decisions whose verdict or rule would be another."""
        return sum(sum(found.values()) for found in self.changed.values())


_decode = msgspec.json.Decoder(DecisionRecord).decode


async def replay_part(engine: AsyncEngine, judges: Judges, task: Task, stretch: Stretch) -> Part:
    """Judge the decisions of a stretch again, read by a server-side cursor. Raises the driver's errors."""
    values: list[object] = [_time(stretch.begin), _time(stretch.end)]
    query = "SELECT record FROM evidence WHERE kind = 'decision' AND at >= $1 AND at < $2"
    if task.decision:
        values += (task.decision, task.decision + "g")  # ids are hex digits
        query += " AND id >= $3 AND id < $4"
    if task.trunk:
        # In the text our encoder wrote; a string in JSON holds no bare quote, so nothing else looks like a field.
        values.append(f'"trunk":{msgspec.json.encode(task.trunk).decode()}')
        query += f" AND position(${len(values)} IN record) > 0"
    part = Part()
    async with engine.connect() as plain:
        connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
        raw = await driver(connection)
        async with raw.transaction(readonly=True):
            cursor = await raw.cursor(f"{query} ORDER BY at", *values)
            while rows := await cursor.fetch(BATCH):
                for row in rows:
                    part.note(judges.replay(_decode(row[0])), task.listed)
    return part


def _time(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def start(data: bytes) -> Callable[[bytes], bytes]:
    """What answers a stretch with its part."""
    logging.disable(logging.WARNING)  # the parent has said it
    task = msgspec.msgpack.decode(data, type=Task)
    judges = task.judges()
    engine = make_engine(task.url, pool_size=1)
    loop = asyncio.new_event_loop()

    def answer(frame: bytes) -> bytes:
        stretch = msgspec.msgpack.decode(frame, type=Stretch)
        return msgspec.msgpack.encode(loop.run_until_complete(replay_part(engine, judges, task, stretch)))

    return answer


if __name__ == "__main__":
    serve(start)
