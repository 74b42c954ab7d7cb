"""Is a segment that is being written still what others find under its name?

A file that was deleted, exchanged or cut goes on taking writes through the descriptor that is held: nobody but this
check would notice.
"""

from __future__ import annotations

import os
from pathlib import Path

from gateway.store.journal.lines import list_segments, segment_path


def find_loss(directory: Path, segment: int, fd: int, size: int, first: int, oldest: int) -> tuple[str, int]:
    """(what happened to `segment`, the first record that is gone by it); empty and 0 where nothing did.

    `fd`: it is written through this, `size` bytes so far. `first`: number of its first record; `oldest`: of the
    directory's. Raises OSError.
    """
    path = segment_path(directory, segment)
    held = os.fstat(fd)
    try:
        there = os.stat(path)
    except FileNotFoundError:
        alone = not (directory.is_dir() and list_segments(directory))
        return f"segment {path.name} was deleted", min(oldest, first) if alone else first
    if not held.st_nlink or not os.path.samestat(held, there):
        return f"segment {path.name} was exchanged for another file", first
    if held.st_size < size:
        records = max(0, path.read_bytes().count(b"\n") - 1)
        return f"segment {path.name} was cut to {held.st_size} bytes", first + records
    return "", 0
