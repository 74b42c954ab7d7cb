"""A registry file (TOML) as typed rows: its shape is checked here, its sense by `registry.validate`."""

from __future__ import annotations

import tomllib
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from gateway.control.importer.problems import Problems
from gateway.control.importer.registry_tables import (
    read_document,
    read_operator,
    read_range,
    read_tenant,
    read_trunk,
)
from gateway.control.importer.toml_lines import TomlLines
from gateway.control.importer.toml_table import Table, tables_of
from gateway.registry.model import NumberRange, Operator, PlanEntry, Trunk
from gateway.registry.numbering import PlanError, emergency_codes, load_plan_csv
from gateway.registry.papers import Document
from gateway.registry.standing import Tenant
from gateway.shipped import shipped

TABLES = ("plan", "purpose", "operator", "tenant", "trunk", "range", "document")


@dataclass(slots=True)
class PlanPart:
    """`[plan]`."""

    entries: tuple[PlanEntry, ...]
    emergency: tuple[str, ...]
    country: str
    zone: str


class Lines(Protocol):
    """Where something stands in a file."""

    def line(self, table: str, index: int = 0, key: str = "") -> int:
        """Line of a key of the n-th row of a table, else of the row, else 0."""
        ...


@dataclass(slots=True)
class RegistryFile:
    """What a file says. Operators' and purposes' numbers are 0: the importer gives them."""

    lines: Lines
    plan: PlanPart | None = None
    purposes: dict[str, str | None] = field(default_factory=dict)
    """Name to title; None where the file gives none, so that a stored one stays."""
    operators: list[Operator] = field(default_factory=list)
    tenants: list[Tenant] = field(default_factory=list)
    trunks: list[Trunk] = field(default_factory=list)
    ranges: list[NumberRange] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    places: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(table, id) to its index, for `lines`."""
    unstated: Container[tuple[str, str, str]] = field(default_factory=set)
    """(table, id, key) of `state` and `steps` that the file leaves out: what was set by command stays."""
    tables: frozenset[str] = frozenset({"tenant", "trunk", "range"})
    """Of which it may be the whole."""

    @property
    def rows(self) -> int:
        """How many there are."""
        rows = (self.purposes, self.operators, self.tenants, self.trunks, self.ranges, self.documents)
        return sum(map(len, rows))


def read_registry_file(text: str, base: Path | None, problems: Problems) -> RegistryFile:
    """Read a file's text; what is wrong is noted in `problems`. `base`: directory that `plan.file` is
    looked for in."""
    lines = TomlLines(text)
    places: dict[tuple[str, str], int] = {}
    unstated: set[tuple[str, str, str]] = set()
    found = RegistryFile(lines, places=places, unstated=unstated)

    def done(table: Table, kind: str, row_id: str) -> None:
        """A row was read: note its place, and what it leaves out."""
        table.done(places, row_id)
        unstated.update((kind, row_id, key) for key in ("state", "steps") if not table.has(key))

    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problems.add(0, "TOML", str(error), "write it as of https://toml.io")
        return found
    for name in document:
        if name not in TABLES:
            problems.add(lines.line(name), name, "unknown table", f"write one of {', '.join(TABLES)}")
    if "plan" in document:
        found.plan = _read_plan(Table(document["plan"], "plan", 0, lines, problems), base)
    for table in tables_of(document, "purpose", lines, problems):
        name = table.text("name")
        title = table.text("title", "")
        found.purposes[name] = title if table.has("title") else None
        table.done(places, name)
    for table in tables_of(document, "operator", lines, problems):
        found.operators.append(read_operator(table))
        done(table, "operator", found.operators[-1].id)
    for table in tables_of(document, "tenant", lines, problems):
        found.tenants.append(read_tenant(table))
        done(table, "tenant", found.tenants[-1].id)
    for table in tables_of(document, "trunk", lines, problems):
        found.trunks.append(read_trunk(table))
        done(table, "trunk", found.trunks[-1].id)
    for table in tables_of(document, "range", lines, problems):
        found.ranges.append(read_range(table))
        done(table, "range", found.ranges[-1].id)
    for table in tables_of(document, "document", lines, problems):
        paper = read_document(table)
        if paper is not None:
            found.documents.append(paper)
            table.done(places, paper.id)
    return found


def _read_plan(table: Table, base: Path | None) -> PlanPart:
    entries: tuple[PlanEntry, ...] = ()
    file, inline = table.text("file", ""), table.text("csv", "")
    if bool(file) == bool(inline):
        table.wrong("file", file or "missing", 'name a plan (file = "cn"), or put its rows into csv, not both')
    elif file:
        inline = _plan_text(table, file, base)
    if inline:
        try:
            entries = load_plan_csv(inline)
        except PlanError as error:
            table.wrong("file" if file else "csv", file or "csv", str(error))
    given = table.texts("emergency", []) if table.has("emergency") else emergency_codes(entries)
    part = PlanPart(entries, given, table.text("country", "86"), table.text("zone", "Asia/Shanghai"))
    table.done({}, "")
    return part


def _plan_text(table: Table, file: str, base: Path | None) -> str:
    """A plan's CSV: a path relative to the registry file, or a bare name looked for in the `plans` beside
    or above it, then among the plans that come with the program."""
    tried = []
    for path in _plan_paths(file, base or Path()):
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            tried.append(str(path))
        except (OSError, UnicodeDecodeError) as error:
            table.wrong("file", file, f"{path} cannot be read: {error}")
            return ""
    table.wrong("file", file, f"there is none of {', '.join(tried)}")
    return ""


def _plan_paths(file: str, base: Path) -> list[Path]:
    if file.endswith(".csv"):
        return [base / file]
    return [base / "plans" / f"{file}.csv", base.parent / "plans" / f"{file}.csv", shipped("plans", f"{file}.csv")]
