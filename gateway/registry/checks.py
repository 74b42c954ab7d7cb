"""Small checks that `validate` is made of. Each gives problems as `field: value: fix`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from ipaddress import ip_address

MAX_ID = 64
"""Ids stand in records, metrics labels and SIP headers."""

_ID_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def twice(where: str, values: Iterable[str]) -> list[str]:
    """Values that must be unique and are not."""
    return [
        f"{where}: {value!r}: used {count} times: give each its own"
        for value, count in Counter(values).items()
        if count > 1
    ]


def identifier(where: str, value: str) -> list[str]:
    """An id: short, and safe in a label, a header and a file name."""
    if value and len(value) <= MAX_ID and all(character in _ID_CHARACTERS for character in value):
        return []
    return [f"{where} id: {value!r}: write 1-{MAX_ID} letters, digits, '-', '_' or '.'"]


def one_of(where: str, value: str, words: tuple[str, ...]) -> list[str]:
    """One word of a few."""
    return [] if value in words else [f"{where}: {value!r}: write one of {', '.join(words)}"]


def known(names: Iterable[str]) -> str:
    """The first few names there are, for a message."""
    listed = sorted(names)[:8]
    return f" ({', '.join(listed)})" if listed else " (there are none yet)"


def digits(text: str) -> bool:
    """ASCII digits only: str.isdigit alone takes full-width ones."""
    return text.isascii() and text.isdigit()


def host(text: str) -> bool:
    """An address, or the characters of a host name (RFC 3261 §25.1 `hostname`)."""
    try:
        ip_address(text.strip("[]"))
    except ValueError:
        return all(_is_label(part) for part in text.removesuffix(".").split("."))
    return True


def _is_label(part: str) -> bool:
    """One label of a host name: letters, digits, hyphens."""
    return part.isascii() and part.replace("-", "a").isalnum()
