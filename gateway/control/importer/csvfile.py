"""Import files in CSV: a header that names columns, then rows, each with its line."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from gateway.control.importer.problems import Problems

MAX_TEXT = 2_048
"""Characters of a free text cell (a URI, a source)."""


def digest(path: Path) -> bytes:
    """SHA-256 of a file: what a resumed import is known by. Raises OSError."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def read_rows(
    path: Path, required: Sequence[str], optional: Sequence[str], problems: Problems, skip_lines: int = 0
) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of each row after `skip_lines`, cells stripped, in the order of required + optional
    columns (empty where the file has no such column). Problems with the file's form are noted; reading
    stops where they are full.

    Raises OSError.
    """
    columns = (*required, *optional)
    # Bytes that are no UTF-8 become lone surrogates: not printable, not ASCII, so refused where they stand.
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            header = [name.strip().lower() for name in next(reader, [])]
            if not _check_header(header, required, columns, problems):
                return
            places = [header.index(name) if name in header else -1 for name in columns]
            width = len(header)
            for cells in reader:
                line = reader.line_num
                if not cells or line <= skip_lines:
                    continue
                if len(cells) != width:
                    problems.add(line, "row", f"{len(cells)} cells", f"write {width}, as in the header")
                else:
                    yield line, [cells[place].strip() if place >= 0 else "" for place in places]
                if problems.full:
                    return
        except csv.Error as error:
            problems.add(reader.line_num, "row", str(error), "write CSV as of RFC 4180: quotes closed and doubled")


def text_problem(text: str) -> str:
    """What is wrong with a free text cell, or empty."""
    if len(text) > MAX_TEXT:
        return f"write at most {MAX_TEXT} characters"
    return "" if text.isprintable() else "write printable UTF-8 text"


def _check_header(header: list[str], required: Sequence[str], columns: Sequence[str], problems: Problems) -> bool:
    for name in header:
        if name not in columns:
            problems.add(1, "header", name or "(empty)", f"write the columns {','.join(columns)}")
        elif header.count(name) > 1:
            problems.add(1, "header", name, "name each column once")
    for name in required:
        if name not in header:
            problems.add(1, "header", name, f"is missing: write the columns {','.join(columns)}")
    return not problems
