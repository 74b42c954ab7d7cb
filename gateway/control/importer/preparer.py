"""The process that prepares blocks for an import (`preparing`): frames in, frames out, until the input ends."""

from __future__ import annotations

import sys

from gateway.control.importer.prepare import Preparer, decode_block, decode_task, encode
from gateway.control.importer.preparing import LENGTH


def main() -> None:
    """Prepare until the input ends."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer

    def frame() -> bytes:
        """Empty where the input ends, in the midst of a frame too: the importer was killed."""
        head = source.read(LENGTH)
        length = int.from_bytes(head, "big") if len(head) == LENGTH else 0
        data = source.read(length)
        return data if len(data) == length else b""

    task = frame()
    if not task:
        return
    preparer = Preparer(decode_task(task))
    while data := frame():
        answer = encode(preparer.prepare(decode_block(data)))
        sink.write(len(answer).to_bytes(LENGTH, "big") + answer)
        sink.flush()


if __name__ == "__main__":
    main()
