"""Parameters of a rule, as a pack gives them: checked once, when the pack is loaded.

Every error is a ValueError whose text is `key: value: fix`; the pack loader adds file, line and rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date


def only(params: Mapping[str, object], *known: str) -> None:
    """Refuse a parameter the rule does not have: a misspelt one must not be ignored."""
    for key, value in params.items():
        if key not in known:
            fix = f"use one of {', '.join(known)}" if known else "this rule has no parameters"
            raise ValueError(f"{key}: {value!r}: {fix}")


def words(params: Mapping[str, object], key: str, default: tuple[str, ...]) -> tuple[str, ...]:
    """A list of non-empty words."""
    value = params.get(key)
    if value is None:
        return default
    if not isinstance(value, list | tuple):
        raise ValueError(f"{key}: {value!r}: write a list of words")
    found: list[str] = []
    for item in value:
        if not isinstance(item, str) or not item:
            raise ValueError(f"{key}: {item!r}: write a list of words")
        found.append(item)
    return tuple(found)


def flag(params: Mapping[str, object], key: str, default: bool) -> bool:
    """true or false."""
    value = params.get(key, default)
    if not isinstance(value, bool):
        raise ValueError(f"{key}: {value!r}: write true or false")
    return value


def whole(params: Mapping[str, object], key: str, default: int, low: int, high: int) -> int:
    """A whole number from `low` to `high`."""
    value = params.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{key}: {value!r:.80}: write a whole number {low}-{high}")
    return value


def one_of(params: Mapping[str, object], key: str, default: str, known: tuple[str, ...]) -> str:
    """One of these words."""
    value = params.get(key, default)
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{key}: {value!r:.80}: write one of {', '.join(known)}")
    return value


def days(params: Mapping[str, object], key: str) -> frozenset[int]:
    """A list of dates, as proleptic ordinals; none where it is left out."""
    value = params.get(key, [])
    if not isinstance(value, list | tuple):
        raise ValueError(f"{key}: {value!r:.80}: write a list of dates, e.g. [2026-01-01]")
    found: set[int] = set()
    for item in value:
        if type(item) is not date:
            raise ValueError(f"{key}: {item!r:.80}: write a list of dates, e.g. [2026-01-01]")
        found.add(item.toordinal())
    return frozenset(found)


def tables(params: Mapping[str, object], key: str, most: int) -> list[dict[str, object]]:
    """A list of at most `most` tables."""
    value = params.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ValueError(f"{key}: {value!r:.80}: write [[rule.params.{key}]] tables")
    if len(value) > most:
        raise ValueError(f"{key}: {len(value)} tables: write at most {most}")
    return value


def lists(params: Mapping[str, object], key: str) -> dict[str, tuple[str, ...]]:
    """A table of lists of words."""
    value = params.get(key, {})
    if not isinstance(value, dict):
        raise ValueError(f"{key}: {value!r:.80}: write a table of lists of words")
    return {name: words(value, name, ()) for name in value}
