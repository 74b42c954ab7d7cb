"""Changes of the key file: a key added, a key taken out; and how a running process learns of them.

The file is replaced in one step, so whoever reads it meanwhile gets the old rings or the new ones, whole.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gateway.keys import (
    KEY_BYTES,
    MAX_ID,
    MAX_RING,
    VARIABLE,
    Key,
    Keys,
    KeysError,
    beside,
    encode,
    from_environment,
    load,
)

__all__ = ["KeyFile", "with_new_keys", "without", "write"]

_Signature = tuple[int, int, int]
"""Of a file: inode, size, time of change (ns). A replaced file has another inode."""


def with_new_keys(keys: Keys) -> Keys:
    """The rings with a fresh pseudonym key and a fresh seal key at their heads. Raises KeysError where a ring is
    full."""
    return replace(keys, pseudonyms=_longer("pseudonym", keys.pseudonyms), seals=_longer("seal", keys.seals))


def without(keys: Keys, pseudonym: int, seal: int) -> Keys:
    """The rings without these ids; 0: none is taken out."""
    return replace(
        keys,
        pseudonyms=tuple(key for key in keys.pseudonyms if key.id != pseudonym),
        seals=tuple(key for key in keys.seals if key.id != seal),
    )


def write(path: Path, keys: Keys) -> None:
    """Replace the key file; it keeps its owner, where a link leads to it too. Raises KeysError."""
    if from_environment():
        raise KeysError(f"{VARIABLE} is set: the keys come by the environment, and no file is written")
    try:
        path = path.resolve()
        with beside(path, encode(keys)) as fresh:
            if path.exists():
                before, made = path.stat(), fresh.stat()
                if (before.st_uid, before.st_gid) != (made.st_uid, made.st_gid):
                    os.chown(fresh, before.st_uid, before.st_gid)  # written by root, read by the gateway's user
            os.replace(fresh, path)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise KeysError(f"key file {path}: {error.strerror}: make its directory writable for this user") from error


class KeyFile:
    """The key file, read again when it changed."""

    def __init__(self, path: Path, keys: Keys | None = None) -> None:
        """`keys`: as they were read just now; None: nothing was. Raises nothing yet."""
        self.path = path
        self._keys = keys
        self._seen: _Signature | None = _signature(path) if keys is not None else None

    def keys(self) -> Keys:
        """Those in the file now. Raises KeysError, OSError."""
        seen = _signature(self.path)
        if self._keys is None or seen != self._seen:
            self._keys = load(self.path)
            self._seen = seen
        return self._keys

    def changed(self) -> Keys | None:
        """The keys, if the file is another one since the last look; None: it is not, or cannot be looked at. Raises
        KeysError and OSError once for each file that cannot be used."""
        seen = _signature(self.path)
        if seen is None or seen == self._seen:
            return None
        self._seen = seen
        before, self._keys = self._keys, load(self.path)
        return self._keys if self._keys != before else None


def _signature(path: Path) -> _Signature | None:
    if from_environment():
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _longer(name: str, ring: Sequence[Key]) -> tuple[Key, ...]:
    if len(ring) >= MAX_RING:
        raise KeysError(f"{name}: the ring holds {MAX_RING} keys: retire one first (callgate keys status)")
    taken = {key.id for key in ring}
    newest = ring[0].id
    free = next(number for step in range(1, MAX_ID + 1) if (number := (newest + step - 1) % MAX_ID + 1) not in taken)
    return (Key(free, secrets.token_bytes(KEY_BYTES)), *ring)
