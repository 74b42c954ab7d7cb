"""A process of our own that works beside this one: frames in by standard input, one answer out for each, in order.

A frame is a length in four octets and that many octets. Such a process ends when its input does, so none outlives a
parent that was killed."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from contextlib import suppress

LENGTH = 4
"""Octets of a frame's length."""
_BUFFER = 4 << 20


class SideProcess:
    """One, from its parent's side."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._process, self._in, self._out = process, process.stdin, process.stdout

    @classmethod
    async def start(cls, module: str, task: bytes) -> SideProcess:
        """Run a module of ours that calls `serve`; `task` is its first frame, and not answered."""
        made = cls(
            await asyncio.create_subprocess_exec(sys.executable, "-m", module, stdin=PIPE, stdout=PIPE, limit=_BUFFER)
        )
        made.send(task)
        return made

    def send(self, data: bytes) -> None:
        """Hand it a frame."""
        self._in.write(len(data).to_bytes(LENGTH, "big") + data)

    async def receive(self) -> bytes:
        """Its next answer. Raises EOFError where it ended."""
        length = int.from_bytes(await self._out.readexactly(LENGTH), "big")  # IncompleteReadError is an EOFError
        return await self._out.readexactly(length)

    async def end(self) -> None:
        """Kill it and wait for its end."""
        self._in.close()
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


def serve(start: Callable[[bytes], Callable[[bytes], bytes]]) -> None:
    """The process's side: `start` takes the first frame and gives what answers the others. Until the input ends."""
    task = _frame()
    if not task:
        return
    answer = start(task)
    sink = sys.stdout.buffer
    while data := _frame():
        answered = answer(data)
        sink.write(len(answered).to_bytes(LENGTH, "big") + answered)
        sink.flush()


def _frame() -> bytes:
    """Empty where the input ends, in the midst of a frame too: the parent was killed."""
    source = sys.stdin.buffer
    head = source.read(LENGTH)
    length = int.from_bytes(head, "big") if len(head) == LENGTH else 0
    data = source.read(length)
    return data if len(data) == length else b""
