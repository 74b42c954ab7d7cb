"""Number ranges as CSV, a row each, and back: for registries of a hundred thousand and more.

Lists are separated by `;`, steps written STATE@TIME. An empty cell is as if the column were not there.

The rows become what `[[range]]` tables of a registry file become, and are checked by the same `registry.validate`; a
TOML file of this size takes ten times as long to read."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final, TextIO, TypeVar

from gateway.control.importer.blocks import MAX_LINE
from gateway.control.importer.bulk import Progress, Step
from gateway.control.importer.problems import Problems
from gateway.control.importer.registry_file import RegistryFile
from gateway.control.importer.registry_rows import range_row
from gateway.control.importer.values import TIME_FIX, parse_time
from gateway.registry.model import NumberRange
from gateway.registry.model import Step as LifeStep
from gateway.registry.validate_class import RANGE_STATES

REQUIRED: Final = ("id", "first", "last", "operator", "trunks")
OPTIONAL: Final = (
    "egress", "outbound", "inbound", "purposes", "certificate", "filing", "valid_from", "valid_to", "state", "steps",
    "length", "regions", "carriers", "tenant",
)  # fmt: skip
COLUMNS: Final = (*REQUIRED, *OPTIONAL)
LIST: Final = ";"
AT: Final = "@"
EVERY: Final = 10_000
"""Rows between two steps of progress."""
MAX_KNOWN: Final = 65_536
"""Texts whose lists and times are remembered: most cells repeat."""

V = TypeVar("V")


class CsvLines:
    """On which line a row stands."""

    def __init__(self) -> None:
        self.lines = array("I")

    def line(self, table: str, index: int = 0, key: str = "") -> int:
        """As `TomlLines.line`, by row."""
        return self.lines[index] if table == "range" and index < len(self.lines) else 0


class _Places(Mapping[tuple[str, str], int]):
    """Ids to rows, as `RegistryFile.places`."""

    def __init__(self, ids: dict[str, int]) -> None:
        self._ids = ids

    def __getitem__(self, key: tuple[str, str]) -> int:
        if key[0] != "range":
            raise KeyError(key)
        return self._ids[key[1]]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return (("range", one) for one in self._ids)

    def __len__(self) -> int:
        return len(self._ids)


class _Unstated:
    """Which rows leave `state` or `steps` to what is stored, as `RegistryFile.unstated`."""

    def __init__(self) -> None:
        self.ids: dict[str, set[str]] = {"state": set(), "steps": set()}

    def __contains__(self, key: object) -> bool:
        match key:
            case ("range", str(row_id), str(name)):
                return row_id in self.ids.get(name, ())
        return False


def read_ranges(path: Path, problems: Problems, progress: Progress | None = None) -> RegistryFile:
    """Read a file; what is wrong is noted in `problems`. Raises OSError."""
    reader = _Reader(problems)
    size = path.stat().st_size
    csv.field_size_limit(MAX_LINE)
    with open(path, "rb") as file, TextIOWrapper(file, encoding="utf-8-sig", newline="") as lines:
        rows = csv.reader(lines, strict=True)
        try:
            reader.header(next(rows, []))
            for count, row in enumerate(rows, 1):
                if problems.full:
                    break
                if reader.columns and row:
                    reader.row(row, rows.line_num)
                if progress and count % EVERY == 0:
                    progress(Step("reading", file.tell(), size, count))
        except UnicodeDecodeError as error:
            problems.add(0, "file", f"byte {error.object[error.start]:#x}", "save the file as UTF-8")
        except csv.Error as error:
            problems.add(rows.line_num, "row", str(error), "write CSV as of RFC 4180, a row a line")
    return reader.file


class _Reader:
    """Makes rows of cells."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._lines = CsvLines()
        self._ids: dict[str, int] = {}
        self._unstated = _Unstated()
        self.file = RegistryFile(
            self._lines, places=_Places(self._ids), unstated=self._unstated, tables=frozenset({"range"})
        )
        self.columns: list[str] = []
        self._line = 0
        self._texts: dict[str, tuple[str, ...]] = {"": ()}
        self._times: dict[str, float] = {"": 0.0}

    def header(self, names: list[str]) -> None:
        """The first line."""
        wrong = [name for name in names if name not in COLUMNS]
        missing = [name for name in REQUIRED if name not in names]
        twice = sorted({name for name in names if names.count(name) > 1})
        for found, fix in (
            (wrong, f"known columns are {', '.join(COLUMNS)}"),
            (missing, f"missing: columns that must be there are {', '.join(REQUIRED)}"),
            (twice, "is there twice: keep one"),
        ):
            if found:
                self._problems.add(1, "header", ", ".join(found), fix)
        self.columns = [] if self._problems else names

    def row(self, cells: list[str], line: int) -> None:
        """One range."""
        self._line = line
        if len(cells) != len(self.columns):
            self._wrong("row", f"{len(cells)} cells", f"write {len(self.columns)}, as many as the header has")
            return
        given = dict(zip(self.columns, cells, strict=True))
        cell = given.get
        row_id = given["id"]
        for name in REQUIRED[:-1]:
            if not given[name]:
                self._wrong(name, "missing", "write it in every row")
        if row_id in self._ids:
            self._wrong("id", row_id, "is in this file twice: keep one")
        for name, ids in self._unstated.ids.items():
            if not cell(name):
                ids.add(row_id)
        state = cell("state") or "enabled"
        if state not in RANGE_STATES:
            self._wrong("state", state, f"write one of {', '.join(RANGE_STATES)}")
        self._ids[row_id] = len(self.file.ranges)
        self._lines.lines.append(line)
        self.file.ranges.append(
            NumberRange(
                row_id, given["first"], given["last"], given["operator"], self._list(given["trunks"]),
                self._list(cell("egress", "")), self._flag("outbound", cell("outbound", ""), False),
                self._flag("inbound", cell("inbound", ""), True), self._list(cell("purposes", "")),
                cell("certificate", ""), cell("filing", ""), self._time("valid_from", cell("valid_from", "")),
                self._time("valid_to", cell("valid_to", "")), state, self._steps(cell("steps", "")),  # type: ignore[arg-type]
                self._number(cell("length", "")), self._list(cell("regions", "")), self._list(cell("carriers", "")),
                cell("tenant", ""),
            )
        )  # fmt: skip

    def _wrong(self, name: str, value: str, fix: str) -> None:
        self._problems.add(self._line, name, value or "''", fix)

    def _list(self, text: str) -> tuple[str, ...]:
        return _remembered(self._texts, text, lambda: tuple([one.strip() for one in text.split(LIST)]))

    def _flag(self, name: str, text: str, default: bool) -> bool:
        if text not in ("true", "false", ""):
            self._wrong(name, text, "write true or false")
        return text == "true" if text else default

    def _number(self, text: str) -> int:
        if text and not (text.isascii() and text.isdigit() and len(text) < 5):
            self._wrong("length", text, "write the number of digits")
            return 0
        return int(text or 0)

    def _time(self, name: str, text: str) -> float:
        return _remembered(self._times, text, lambda: self._moment(name, text))

    def _moment(self, name: str, text: str) -> float:
        at = parse_time(text)
        if at is None or at.timestamp() <= 0:  # 0 stands for "open", and what lies before has no use here
            self._wrong(name, text, TIME_FIX)
            return 0.0
        return at.timestamp()

    def _steps(self, text: str) -> tuple[LifeStep, ...]:
        steps: list[Any] = []
        for one in text.split(LIST) if text else ():
            state, _, time = one.strip().partition(AT)
            if state not in RANGE_STATES or not time:
                self._wrong("steps", one, "write STATE@TIME, e.g. recalled@2027-01-01T00:00:00+08:00")
            else:
                steps.append((self._time("steps", time), state))
        return tuple(steps)


def _remembered(known: dict[str, V], text: str, make: Callable[[], V]) -> V:
    """What a text says, once; a wrong one is not remembered where it says nothing."""
    found = known.get(text)
    if found is None:
        found = make()
        if found and len(known) < MAX_KNOWN:
            known[text] = found
    return found


def write_ranges(out: TextIO, rows: Iterable[NumberRange]) -> None:
    """Write rows as `read_ranges` reads them. Raises ValueError where a list cannot be told from its parts."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        table = range_row(row)
        writer.writerow([_cell(row.id, name, table.get(name, "")) for name in COLUMNS])


def _cell(row_id: str, name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if name == "steps" and value:
        return LIST.join([f"{step['state']}{AT}{step['from']}" for step in value])
    if isinstance(value, (tuple, list)):
        if any(LIST in one or one != one.strip() for one in value):
            raise ValueError(f"range {row_id}.{name}: {value!r}: holds {LIST!r}; fix: callgate export registry")
        return LIST.join(value)
    return str(value)
