"""A deployment directory, checked without a database: what `bootstrap` would refuse is told before anything is
started, all of it in one round."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from gateway.control.importer.bootstrap import files_of
from gateway.control.importer.consents import read_consents
from gateway.control.importer.problems import Problems
from gateway.control.importer.refusals import read_refusals
from gateway.control.importer.registry import merged, note_invalid
from gateway.control.importer.registry_file import read_registry_file
from gateway.control.importer.subscriber import Subscribers
from gateway.control.pack_text import whole_pack
from gateway.gate.pack import PackError
from gateway.gate.pack_read import load_pack
from gateway.keys import KEY_BYTES, Key, Keys
from gateway.registry.model import Snapshot
from gateway.registry.validate import validate
from gateway.registry.validate_document import check_documents

_NO_SECRET = (Key(1, bytes(KEY_BYTES)),)
"""Rows are hashed and sealed as for an import, and thrown away."""

_ReadRows = Callable[[Path, Snapshot, Subscribers, datetime, Problems], Iterable[object]]


def check_directory(directory: Path) -> tuple[list[str], list[str]]:
    """Check pack, registry, consents and refusals of a deployment directory, each where there is one.

    Returns what is good, one line a file, and every problem, one line each, naming file, line, value and fix."""
    good: list[str] = []
    problems: list[str] = []
    files = files_of(directory)
    if files.pack.exists():
        _check_pack(files.pack, good, problems)
    snapshot: Snapshot | None = Snapshot(version=0)
    if files.registry.exists():
        snapshot = _check_registry(files.registry, good, problems)
    for path, read in ((files.consents, read_consents), (files.refusals, read_refusals)):
        if path.exists() and snapshot is not None:
            _check_rows(path, read, snapshot, good, problems)
    return good, problems


def _check_pack(path: Path, good: list[str], problems: list[str]) -> None:
    try:
        pack = load_pack(whole_pack(path.read_text(encoding="utf-8")), str(path))
    except PackError as error:
        problems.extend(error.problems)
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{path}: {error}")
    else:
        good.append(f"{path}: good ({pack.label}, {len(pack.rules)} rules)")


def _check_registry(path: Path, good: list[str], problems: list[str]) -> Snapshot | None:
    """The registry of the file alone, for the rows that refer to it; None where it cannot be read."""
    found = Problems(str(path))
    try:
        file = read_registry_file(path.read_text(encoding="utf-8"), path.parent, found)
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{path}: {error}")
        return None
    readable = not found
    snapshot = merged(Snapshot(version=0), file)
    if readable:
        note_invalid(validate(snapshot) + check_documents((), file.documents, snapshot), file, found)
    problems.extend(found.lines())
    if not found:
        good.append(f"{path}: good ({len(snapshot.trunks)} trunks, {len(snapshot.ranges)} ranges)")
    return snapshot if readable else None


def _check_rows(path: Path, read: _ReadRows, snapshot: Snapshot, good: list[str], problems: list[str]) -> None:
    found = Problems(str(path), private=True)
    subscribers = Subscribers(Keys(_NO_SECRET, _NO_SECRET, _NO_SECRET))
    try:
        rows = sum(1 for _ in read(path, snapshot, subscribers, datetime.now(UTC), found))
    except OSError as error:
        problems.append(f"{path}: {error}")
        return
    problems.extend(found.lines())
    if not found:
        good.append(f"{path}: good ({rows} rows)")
