"""The last good registry snapshot on this node's disk: what a worker starts with while Redis is away.

One file: a line with the blob's digest, then the blob as it was in Redis. It is replaced by rename: a reader
sees the old one or the new one, never half of either.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Final

from gateway.registry.model import Snapshot
from gateway.store.redis.layout import decode_snapshot

FILE_NAME: Final = "registry.snapshot"
"""In the state directory."""


def save_last_good(path: Path, blob: bytes) -> None:
    """Replace the file by this blob, durably; blocks on the disk. Raises OSError, with the old file kept."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(fresh, "wb") as file:
            file.write(_digest(blob) + b"\n" + blob)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise


def load_last_good(path: Path) -> Snapshot | None:
    """The snapshot kept, or None where there is none. A damaged file counts as none and is set aside as
    `<name>.damaged`. Raises OSError where the file is there and cannot be read."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    digest, _, blob = content.partition(b"\n")
    try:
        if digest != _digest(blob):
            raise ValueError("digest differs")
        return decode_snapshot(blob)
    except ValueError:
        os.replace(path, path.with_name(path.name + ".damaged"))
        return None


def _digest(blob: bytes) -> bytes:
    return hashlib.blake2b(blob, digest_size=16).hexdigest().encode()
