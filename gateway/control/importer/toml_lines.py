"""Where in a TOML text a table or key stands (tomllib keeps no positions)."""

from __future__ import annotations

import re

_HEADER = re.compile(r"\s*\[(\[?)\s*([A-Za-z0-9_-]+)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")


class TomlLines:
    """Line numbers, from 1, of `[name]`, of the n-th `[[name]]`, and of keys in them."""

    def __init__(self, text: str) -> None:
        self._headers: dict[tuple[str, int], int] = {}
        self._keys: dict[tuple[str, int, str], int] = {}
        counts: dict[str, int] = {}
        place = ("", 0)
        for number, line in enumerate(text.split("\n"), 1):
            header = _HEADER.match(line)
            if header:
                name = header[2]
                index = counts.get(name, 0) if header[1] else 0
                counts[name] = index + 1
                place = (name, index)
                self._headers[place] = number
                continue
            key = _KEY.match(line)
            if key:
                self._keys.setdefault((*place, key[1]), number)

    def line(self, table: str, index: int = 0, key: str = "") -> int:
        """Line of a key, else of its table, else 0."""
        found = self._keys.get((table, index, key)) if key else None
        return found or self._headers.get((table, index), 0)
