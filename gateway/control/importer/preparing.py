"""Blocks prepared side by side: in this process where the file is small, else in processes of their own.

Reading, checking, hashing and sealing a row costs as much as PostgreSQL needs to take it in: a large import uses
every core. The processes (`preparer`) take frames of msgpack and answer each with one, in order (`side_process`)."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Iterator
from itertools import islice

from gateway.control.importer.blocks import Block
from gateway.control.importer.prepare import (
    Prepared,
    Preparer,
    Task,
    decode_prepared,
    encode,
)
from gateway.control.side_process import SideProcess

SMALL_FILE = 4 << 20
"""Octets up to which starting processes costs more than they save."""
MAX_PROCESSES = 4
AHEAD = 2
"""Blocks a process has before it, so that it never waits for the next."""
PREPARER = "gateway.control.importer.preparer"


async def prepared(task: Task, blocks: Iterator[Block], size: int) -> AsyncIterator[Prepared]:
    """Each block prepared, in order. `size`: octets of the file. Raises OSError where a process ends early."""
    processes = min(MAX_PROCESSES, len(os.sched_getaffinity(0)))
    if size <= SMALL_FILE or processes < 2:
        preparer = Preparer(task)
        for block in blocks:
            yield preparer.prepare(block)
            await asyncio.sleep(0)
        return
    pool = [await SideProcess.start(PREPARER, encode(task)) for _ in range(processes)]
    try:
        waiting: deque[SideProcess] = deque()
        for process, block in zip(_turns(pool), islice(blocks, AHEAD * processes), strict=False):
            process.send(encode(block))
            waiting.append(process)
        while waiting:
            process = waiting.popleft()
            done = await _answer(process)
            block_after = next(blocks, None)
            if block_after is not None:
                process.send(encode(block_after))
                waiting.append(process)
            yield done
    finally:
        for process in pool:
            await process.end()


def _turns(pool: list[SideProcess]) -> Iterator[SideProcess]:
    while True:
        yield from pool


async def _answer(process: SideProcess) -> Prepared:
    try:
        return decode_prepared(await process.receive())
    except EOFError:
        raise OSError("a process that prepares rows ended: import the file again, it goes on there") from None
