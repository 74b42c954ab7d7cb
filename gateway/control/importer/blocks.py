"""Import files in blocks of whole rows, CSV or JSON Lines, each with the number of its first line."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.control.importer.problems import Problems

CSV, JSONL = "csv", "jsonl"
BLOCK_LINES = 5_000
"""Lines of a block: some hundred kilobytes, a tenth of a second of work."""
MAX_LINE = 1 << 16
"""Octets of one line: far above every limit of a cell. It bounds what a file without line ends takes."""
MAX_BLOCK = 1 << 24
"""Octets of a block: a quote that is never closed would make one block of the whole file."""


@dataclass(frozen=True, slots=True)
class Form:
    """How the rows of a file are written. `places`: CSV, where each known column stands, -1 for one that is missing;
    `width`: columns of the header."""

    kind: str
    columns: tuple[str, ...]
    places: tuple[int, ...] = ()
    width: int = 0
    header_lines: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """Whole rows. `first_line`: number of the first line in the file, from 1; `end`: octets of the file up to here."""

    first_line: int
    lines: int
    data: bytes
    end: int

    @property
    def last_line(self) -> int:
        return self.first_line + self.lines - 1


def digest(path: Path) -> bytes:
    """SHA-256 of a file: what a resumed import is known by. Raises OSError."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def read_form(path: Path, required: Sequence[str], optional: Sequence[str], problems: Problems) -> Form | None:
    """What the first line says; None where it is wrong, which is noted then. Raises OSError."""
    columns = (*required, *optional)
    with open(path, "rb") as file:
        head = file.readline(MAX_LINE)
    text = head.decode("utf-8-sig", "surrogateescape")
    if text.lstrip()[:1] == "{":
        return Form(JSONL, columns)
    try:
        header = [name.strip().lower() for name in next(csv.reader(io.StringIO(text), strict=True), [])]
    except csv.Error as error:
        problems.add(1, "header", str(error), f"write the columns {','.join(columns)}")
        return None
    if not _check_header(header, required, columns, problems):
        return None
    return Form(CSV, columns, tuple(header.index(name) if name in header else -1 for name in columns), len(header), 1)


def read_blocks(path: Path, form: Form, problems: Problems, skip_lines: int = 0) -> Iterator[Block]:
    """The rows after `skip_lines` lines. A line that is too long is noted, and reading stops there. Raises OSError."""
    with open(path, "rb") as file:
        line = end = 0
        for _ in range(max(skip_lines, form.header_lines)):
            end += len(_line(file))
            line += 1
        while True:
            lines: list[bytes] = []
            open_quotes = size = 0
            while len(lines) < BLOCK_LINES or (open_quotes % 2 and size < MAX_BLOCK):
                found = _line(file)
                if not found:
                    break
                lines.append(found)
                size += len(found)
                if len(found) >= MAX_LINE:
                    problems.add(
                        line + len(lines), "row", f"over {MAX_LINE} octets", "write shorter lines, ended by LF or CRLF"
                    )
                    return
                if form.kind == CSV and b'"' in found:
                    open_quotes += found.count(b'"')  # odd: the line end stands inside a quoted cell
            if not lines:
                return
            end += size
            yield Block(line + 1, len(lines), b"".join(lines), end)
            line += len(lines)


def read_rows(block: Block, form: Form, problems: Problems) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of each row, cells stripped, in the order of `form.columns`, empty where there is none. Problems
    with the form are noted; reading stops where they are full."""
    # Octets that are no UTF-8 become lone surrogates: not printable, not ASCII, so refused where they stand.
    text = block.data.decode("utf-8", "surrogateescape")
    if block.first_line == 1:
        text = text.removeprefix("\ufeff")
    rows = _csv_rows if form.kind == CSV else _json_rows
    return rows(text, block.first_line, form, problems)


def _line(file: io.BufferedReader) -> bytes:
    return file.readline(MAX_LINE)


def _csv_rows(text: str, first: int, form: Form, problems: Problems) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline="\n"), strict=True)
    places, width, before = form.places, form.width, first - 1
    try:
        for cells in reader:
            if not cells:
                continue
            line = before + reader.line_num
            if len(cells) != width:
                problems.add(line, "row", f"{len(cells)} cells", f"write {width}, as in the header")
            else:
                yield line, [cells[place].strip() if place >= 0 else "" for place in places]
            if problems.full:
                return
    except csv.Error as error:
        fix = "write CSV as of RFC 4180: quotes closed and doubled"
        problems.add(before + reader.line_num, "row", str(error), fix)


def _json_rows(text: str, first: int, form: Form, problems: Problems) -> Iterator[tuple[int, list[str]]]:
    columns = form.columns
    for line, written in enumerate(text.split("\n"), first):
        if not written.strip():
            continue
        try:
            row = json.loads(written)
        except (ValueError, RecursionError) as error:
            problems.add(line, "row", str(error).split(":")[0], "write one JSON object a line")
            continue
        if not isinstance(row, dict):
            problems.add(line, "row", type(row).__name__, "write one JSON object a line")
            continue
        strange = [name for name in row if name not in columns]
        wrong = [name for name in columns if not isinstance(row.get(name), str | None)]
        if strange:
            problems.add(line, "row", strange[0], f"is no column: write some of {','.join(columns)}")
        elif wrong:
            problems.add(line, wrong[0], "not shown", "write text in quotes, or null")
        else:
            yield line, [(row.get(name) or "").strip() for name in columns]
        if problems.full:
            return


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
