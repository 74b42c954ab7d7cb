"""Tables of a TOML file, taken apart key by key: what is wrong is noted with its line, what is not taken as well."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gateway.control.importer.problems import Problems
from gateway.control.importer.toml_lines import TomlLines
from gateway.control.importer.values import TIME_FIX, parse_time

_MISSING = object()


class Table:
    """One table: takes keys out of it by type, notes what is wrong, and at the end what was not taken."""

    def __init__(self, content: object, name: str, index: int, lines: TomlLines, problems: Problems) -> None:
        self._content: Mapping[str, Any] = content if isinstance(content, Mapping) else {}
        self._place = (name, index)
        self._lines = lines
        self._problems = problems
        self._known: list[str] = []
        if not isinstance(content, Mapping):
            self.wrong("", content, f"write it as a table: [{name}]")

    def wrong(self, key: str, value: object, fix: str) -> None:
        """Note a value that cannot be used."""
        name, index = self._place
        field = f"{name}.{key}" if key else name
        self._problems.add(self._lines.line(name, index, key), field, value if value != "" else "''", fix)

    def text(self, key: str, default: str | None = None) -> str:
        """Text."""
        return self._take(key, str, default, "write text in quotes") or ""

    def flag(self, key: str, default: bool) -> bool:
        """true or false."""
        return bool(self._take(key, bool, default, "write true or false"))

    def texts(self, key: str, default: list[str] | None = None) -> tuple[str, ...]:
        """A list of texts."""
        found = self._take(key, list, default, "write a list of texts")
        if all(isinstance(item, str) for item in found or ()):
            return tuple(found or ())
        self.wrong(key, found, "write a list of texts")
        return ()

    def numbers(self, key: str) -> tuple[int, ...]:
        """A list of whole numbers."""
        found = self._take(key, list, [], "write a list of numbers")
        if all(type(item) is int for item in found or ()):  # not a bool, which is an int in Python
            return tuple(found or ())
        self.wrong(key, found, "write a list of numbers")
        return ()

    def number(self, key: str, default: int = 0) -> int:
        """A whole number."""
        found = self._take(key, int, default, "write a whole number")
        if isinstance(found, bool):
            self.wrong(key, found, "write a whole number")
            return default
        return int(found)

    def rest(self, names: tuple[str, ...]) -> dict[str, object]:
        """The values of those keys of `names` that are there, whatever they are: their reader checks them."""
        self._known.extend(names)
        return {name: self._content[name] for name in names if name in self._content}

    def tables(self, key: str) -> list[Any]:
        """A list of anything."""
        return list(self._take(key, list, [], "write a list") or ())

    def time(self, key: str) -> float:
        """Epoch seconds, 0 where there is none."""
        return self.moment(key, self._take(key, (str, datetime), "", TIME_FIX))

    def moment(self, key: str, value: object) -> float:
        """A value as epoch seconds: TOML date-times and RFC 3339 texts are read; 0 for none or a wrong one."""
        if value == "":
            return 0.0
        at = parse_time(value) if isinstance(value, str) else value
        # From 1970 on: 0 stands for "open", and what lies before has no use here.
        if not isinstance(at, datetime) or at.tzinfo is None or at.timestamp() <= 0:
            self.wrong(key, str(value), TIME_FIX)
            return 0.0
        return float(at.timestamp())

    def has(self, key: str) -> bool:
        """Is the key there?"""
        return key in self._content

    def done(self, places: dict[tuple[str, str], int], row_id: str) -> None:
        """Note unknown keys, and the place of this row; an id twice in one file is a problem."""
        name, index = self._place
        for key in self._content:
            if key not in self._known:
                close = difflib.get_close_matches(key, self._known, 1)
                self.wrong(key, "unknown key", f"write {close[0]}" if close else f"one of {', '.join(self._known)}")
        if row_id and (name, row_id) in places:
            self.wrong("", row_id, "is in this file twice: keep one")
        places.setdefault((name, row_id), index)

    def _take(self, key: str, kind: Any, default: Any, fix: str) -> Any:
        self._known.append(key)
        value = self._content.get(key, _MISSING)
        if value is _MISSING:
            if default is None:
                self.wrong(key, "missing", fix)
            return default
        if not isinstance(value, kind):
            self.wrong(key, value, fix)
            return default
        return value


def tables_of(document: Mapping[str, Any], name: str, lines: TomlLines, problems: Problems) -> list[Table]:
    """The `[[name]]` tables of a document."""
    content = document.get(name, [])
    if not isinstance(content, list):
        problems.add(lines.line(name), name, "one table", f"write [[{name}]], once per {name}")
        return []
    return [Table(item, name, index, lines, problems) for index, item in enumerate(content)]


def one_of(table: Table, key: str, words: tuple[str, ...], default: str | None = None) -> Any:
    """One word of a few."""
    value = table.text(key, default)
    if value not in words and table.has(key):
        table.wrong(key, value, f"write one of {', '.join(words)}")
    return value
