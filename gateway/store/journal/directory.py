"""A journal's directory as the file system has it: one writer at a time, names made durable, files replaced whole."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

LOCK_NAME: Final = "lock"


def lock_directory(directory: Path) -> int:
    """Take the directory for this process; the descriptor that holds it. Raises OSError: BlockingIOError when another
    process has it."""
    fd = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise type(error)(error.errno, f"journal {directory} is written by another process") from error
    return fd


def holds_lock(directory: Path, fd: int) -> bool:
    """Is `fd` still the lock that others would find there?"""
    try:
        return os.path.samestat(os.stat(directory / LOCK_NAME), os.fstat(fd))
    except FileNotFoundError:
        return False


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable. Raises OSError."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def replace_file(path: Path, parts: Iterable[bytes]) -> None:
    """Put a file in place by rename: a reader sees the old one or the new one. Not synced: after a power cut it may be
    old or empty. Each part is a write of its own (other threads run meanwhile). Raises OSError."""
    fresh = f"{path}.new"
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        try:
            for part in parts:
                if os.write(fd, part) != len(part):
                    raise OSError(errno.ENOSPC, f"no room for {fresh}")
        finally:
            os.close(fd)
        os.replace(fresh, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(fresh)
        raise
