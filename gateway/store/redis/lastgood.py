"""The last good registry snapshot on this node's disk: what a worker starts with while Redis is away.

A file for the head, a line with the blob's digest, then the blob as it was in Redis; and a directory with its pages,
each under the digest it is named by. The head is replaced by rename when its pages are there: a reader sees the old
one or the new one, never half of either. A change writes the pages it changed, however many others there are."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.registry.model import Snapshot
from gateway.registry.pages import Page, Shared
from gateway.registry.ranges import RangeTable
from gateway.store.redis.publication import Published, decode_page, decode_published, page_name, table_of

FILE_NAME: Final = "registry.snapshot"
"""In the state directory."""
PAGES: Final = ".pages"
"""Added to the file's name: the directory of its pages."""
KEEP_S: Final = 3_600.0
"""Pages that the head does not name stay this long: another worker of this node may be a version behind."""


@dataclass(frozen=True, slots=True)
class LastGood:
    """What was kept."""

    published: Published
    ranges: RangeTable
    pages: dict[str, Page]

    @property
    def snapshot(self) -> Snapshot:
        """Without its ranges."""
        return self.published.registry


def save_last_good(path: Path, blob: bytes, pages: Mapping[str, bytes]) -> None:
    """Replace the file by this head, durably; `pages`: those it names, or those of them that may not be there yet.
    Blocks on the disk. Raises OSError, with the old file kept."""
    directory = path.with_name(path.name + PAGES)
    if pages:
        directory.mkdir(mode=0o700, exist_ok=True)
        for name, page in pages.items():
            if not (directory / name).exists():
                _replace(directory / name, page)
    _replace(path, _digest(blob) + b"\n" + blob)
    if directory.is_dir():
        _clear(directory, {page.name for page in decode_published(blob).pages})


def load_last_good(path: Path) -> LastGood | None:
    """The snapshot kept, or None where there is none. A damaged file counts as none and is set aside as
    `<name>.damaged`. Raises OSError where the file is there and cannot be read."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    digest, _, blob = content.partition(b"\n")
    directory = path.with_name(path.name + PAGES)
    try:
        if digest != _digest(blob):
            raise ValueError("digest differs")
        published = decode_published(blob)
        known: dict[Shared, Shared] = {}
        pages = {}
        for page in published.pages:
            found = (directory / page.name).read_bytes()
            if page_name(found) != page.name:
                (directory / page.name).unlink(missing_ok=True)  # or the next one kept would go on with it
                raise ValueError("a page's digest differs")
            pages[page.name] = decode_page(found, known)
        return LastGood(published, table_of(published, pages.values()), pages)
    except (ValueError, FileNotFoundError):
        os.replace(path, path.with_name(path.name + ".damaged"))
        return None


def _replace(path: Path, content: bytes) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(fresh, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise


def _clear(directory: Path, named: set[str]) -> None:
    old = time.time() - KEEP_S
    for entry in directory.iterdir():
        if entry.name not in named:
            with contextlib.suppress(FileNotFoundError):  # another worker was faster
                if entry.stat().st_mtime < old:
                    entry.unlink()


def _digest(blob: bytes) -> bytes:
    return hashlib.blake2b(blob, digest_size=16).hexdigest().encode()
