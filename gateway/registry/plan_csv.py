"""Numbering plan files (`config/plans/*.csv`) -> plan entries.

Columns: `prefix,kind,nsn_min_len,nsn_max_len,outbound_allowed_as_caller,notes`. Notes of geographic rows
begin with the region (`Hangzhou, Zhejiang|...;`) and may hold `sub_first=2-8`, which is part of the rule
(RULES Part 2(a)), and `zone=America/Denver`, the time zone of that region where a country has several."""

from __future__ import annotations

import csv

from gateway.registry.model import PlanEntry

COLUMNS = ("prefix", "kind", "nsn_min_len", "nsn_max_len", "outbound_allowed_as_caller", "notes")
CALLER_WORDS = ("owner", "cert", "no")
MAX_CODE_DIGITS = 20
"""Longest number a row may describe (SMS access codes)."""


class PlanError(ValueError):
    """A plan file is wrong. The text names line, column, value and the fix."""


def load_plan_csv(text: str) -> tuple[PlanEntry, ...]:
    """Rows of a plan file, in file order. Raises PlanError."""
    rows = csv.reader(text.split("\n"))
    header = next(rows, None)
    if header is None or tuple(header) != COLUMNS:
        raise PlanError(f"line 1: header: {header!r}: write {','.join(COLUMNS)}")
    entries = tuple(_entry(row, rows.line_num) for row in rows if row)
    zones: dict[str, str] = {}
    for entry in entries:
        if entry.region and zones.setdefault(entry.region, entry.zone) != entry.zone:
            raise PlanError(f"zone: {entry.zone!r}: {entry.region} has another one before: split the region's name")
    return entries


def emergency_codes(entries: tuple[PlanEntry, ...]) -> tuple[str, ...]:
    """The plan's emergency codes: rows of kind `emergency`, whose prefix is the whole number."""
    return tuple(sorted({entry.prefix for entry in entries if entry.kind == "emergency"}))


def _entry(row: list[str], line: int) -> PlanEntry:
    if len(row) != len(COLUMNS):
        raise PlanError(f"line {line}: {len(row)} columns: write {len(COLUMNS)}: {','.join(COLUMNS)}")
    prefix, kind, shortest, longest, caller, notes = row
    if not _digits(prefix):
        raise PlanError(f"line {line}: prefix: {prefix!r}: write digits 0-9 after the country code")
    if not kind:
        raise PlanError(f"line {line}: kind: empty: name the kind of number, e.g. geo")
    if not _digits(shortest) or not _digits(longest):
        raise PlanError(f"line {line}: nsn_min_len, nsn_max_len: {shortest!r}, {longest!r}: write two whole numbers")
    low, high = int(shortest), int(longest)
    if not len(prefix) <= low <= high <= MAX_CODE_DIGITS:
        raise PlanError(
            f"line {line}: nsn_min_len, nsn_max_len: {low}, {high}: write lengths from the prefix's to "
            f"{MAX_CODE_DIGITS}, the smaller first"
        )
    if caller not in CALLER_WORDS:
        raise PlanError(f"line {line}: outbound_allowed_as_caller: {caller!r}: write one of {', '.join(CALLER_WORDS)}")
    region = notes.split(";", 1)[0].split("|", 1)[0].strip() if kind == "geo" else ""
    return PlanEntry(prefix, kind, low, high, caller, region, _sub_first(notes, line), _zone(notes, region, line))


def _sub_first(notes: str, line: int) -> str:
    """`sub_first=2-8` -> "2345678"; empty where the notes say nothing."""
    for part in notes.split(";"):
        name, _, value = part.strip().partition("=")
        if name != "sub_first":
            continue
        first, _, last = value.partition("-")
        if len(first) != 1 or len(last) != 1 or not _digits(first + last) or first > last:
            raise PlanError(f"line {line}: sub_first: {value!r}: write two digits, e.g. 2-8")
        return "0123456789"[int(first) : int(last) + 1]
    return ""


def _zone(notes: str, region: str, line: int) -> str:
    """`zone=America/Denver` -> that; empty where the notes say nothing."""
    for part in notes.split(";"):
        name, _, zone = part.strip().partition("=")
        if name == "zone":
            if not region or not zone.replace("/", "").replace("_", "").replace("-", "").isalpha():
                raise PlanError(f"line {line}: zone: {zone!r}: write an IANA zone, of a geographic row with a region")
            return zone
    return ""


def _digits(text: str) -> bool:
    """ASCII digits only: str.isdigit alone takes full-width and Arabic-Indic ones."""
    return text.isascii() and text.isdigit()
