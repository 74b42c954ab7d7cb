"""Parameters of a rule, as a pack gives them: checked once, when the pack is loaded.

Every error is a ValueError whose text is `key: value: fix`; the pack loader adds file, line and rule.
"""

from __future__ import annotations

from collections.abc import Mapping


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
