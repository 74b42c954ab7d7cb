"""Blocks prepared side by side: in this process where the file is small, else in processes of their own.

Reading, checking, hashing and sealing a row costs as much as PostgreSQL needs to take it in: a large import uses
every core. The processes (`preparer`) read frames from standard input (a length in four octets, then msgpack) and
answer each with one on standard output, in order. They end when their input does, so none outlives an importer that
was killed."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from itertools import islice

from gateway.control.importer.blocks import Block
from gateway.control.importer.prepare import (
    Prepared,
    Preparer,
    Task,
    decode_prepared,
    encode,
)

SMALL_FILE = 4 << 20
"""Octets up to which starting processes costs more than they save."""
MAX_PROCESSES = 4
AHEAD = 2
"""Blocks a process has before it, so that it never waits for the next."""
LENGTH = 4
"""Octets of a frame's length."""
PREPARER = "gateway.control.importer.preparer"
_BUFFER = 4 << 20


async def prepared(task: Task, blocks: Iterator[Block], size: int) -> AsyncIterator[Prepared]:
    """Each block prepared, in order. `size`: octets of the file. Raises OSError where a process ends early."""
    processes = min(MAX_PROCESSES, len(os.sched_getaffinity(0)))
    if size <= SMALL_FILE or processes < 2:
        preparer = Preparer(task)
        for block in blocks:
            yield preparer.prepare(block)
            await asyncio.sleep(0)
        return
    pool = [await _Process.start(task) for _ in range(processes)]
    try:
        waiting: deque[_Process] = deque()
        for process, block in zip(_turns(pool), islice(blocks, AHEAD * processes), strict=False):
            process.send(block)
            waiting.append(process)
        while waiting:
            process = waiting.popleft()
            done = await process.receive()
            block_after = next(blocks, None)
            if block_after is not None:
                process.send(block_after)
                waiting.append(process)
            yield done
    finally:
        for process in pool:
            await process.end()


def _turns(pool: list[_Process]) -> Iterator[_Process]:
    while True:
        yield from pool


class _Process:
    """One, from its parent's side."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._process, self._in, self._out = process, process.stdin, process.stdout

    @classmethod
    async def start(cls, task: Task) -> _Process:
        made = cls(
            await asyncio.create_subprocess_exec(sys.executable, "-m", PREPARER, stdin=PIPE, stdout=PIPE, limit=_BUFFER)
        )
        made._write(encode(task))
        return made

    def send(self, block: Block) -> None:
        self._write(encode(block))

    async def receive(self) -> Prepared:
        try:
            length = int.from_bytes(await self._out.readexactly(LENGTH), "big")
            return decode_prepared(await self._out.readexactly(length))
        except asyncio.IncompleteReadError:
            raise OSError("a process that prepares rows ended: import the file again, it goes on there") from None

    async def end(self) -> None:
        self._in.close()
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    def _write(self, data: bytes) -> None:
        self._in.write(len(data).to_bytes(LENGTH, "big") + data)
