"""The process that prepares blocks for an import (`preparing`): frames in, frames out, until the input ends."""

from __future__ import annotations

from collections.abc import Callable

from gateway.control.importer.prepare import Preparer, decode_block, decode_task, encode
from gateway.control.side_process import serve


def start(task: bytes) -> Callable[[bytes], bytes]:
    """What prepares a block."""
    preparer = Preparer(decode_task(task))
    return lambda block: encode(preparer.prepare(decode_block(block)))


if __name__ == "__main__":
    serve(start)
