"""A block of an import file made ready for PostgreSQL: rows read, checked, hashed, sealed, in COPY form. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from gateway.control.importer.blocks import Block, Form, read_rows
from gateway.control.importer.consent_rows import ConsentReader
from gateway.control.importer.problems import Problem, Problems
from gateway.control.importer.refusal_rows import RefusalReader
from gateway.control.importer.subscriber import Subscribers
from gateway.keys import Keys
from gateway.registry.model import Snapshot
from gateway.store.sql import consents, outbox, refusals
from gateway.store.sql.copy_rows import consent_row, refusal_row

COLUMNS = {outbox.CONSENTS: consents.EVENT_COLUMNS, outbox.REFUSALS: refusals.EVENT_COLUMNS}
"""What the rows in COPY form hold, by kind."""


@dataclass(frozen=True, slots=True)
class Task:
    """One import, as whoever prepares its blocks has to know it."""

    kind: str
    name: str
    form: Form
    keys: Keys
    plan: Snapshot
    now: datetime
    """What an unknown time means."""
    list: str = ""
    """Which list of refusals the rows are for."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A block's rows. `copy`: without header and trailer."""

    first_line: int
    last_line: int
    end: int
    rows: int
    copy: bytes
    problems: list[Problem]


class Preparer:
    """Prepares blocks of one import. A process that forks makes its own (`gate.seal`)."""

    def __init__(self, task: Task) -> None:
        self._task = task
        subscribers = Subscribers(task.keys)
        self._problems = Problems(task.name, private=True)
        self._reader: Any
        if task.kind == outbox.CONSENTS:
            self._reader = ConsentReader(task.plan, subscribers, self._problems, task.now)
            self._write: Any = consent_row
        else:
            self._reader = RefusalReader(task.plan, subscribers, self._problems, task.now, task.list)
            self._write = refusal_row

    def prepare(self, block: Block) -> Prepared:
        """The block's rows, and what is wrong with the others."""
        self._problems.found.clear()
        event, write = self._reader.event, self._write
        rows = []
        for line, cells in read_rows(block, self._task.form, self._problems):
            found = event(line, *cells)
            if found is not None:
                rows.append(write(found))
        return Prepared(
            block.first_line, block.last_line, block.end, len(rows), b"".join(rows), list(self._problems.found)
        )


encode = msgspec.msgpack.Encoder().encode
decode_task = msgspec.msgpack.Decoder(Task).decode
decode_block = msgspec.msgpack.Decoder(Block).decode
decode_prepared = msgspec.msgpack.Decoder(Prepared).decode
