"""Settings as they may be shown: no password leaves by a terminal, a log or a bug report."""

from __future__ import annotations

import json
from typing import Any

from gateway.settings import Settings

MASK = "***"
"""Stands for a password wherever settings are shown."""


def masked(value: object) -> object:
    """A setting as it may be shown: a URL without its password (user part or query)."""
    if not isinstance(value, str) or "://" not in value:
        return value
    scheme, _, rest = value.partition("://")
    place, mark, query = rest.partition("?")
    login, at, host = place.rpartition("@")
    user, colon, _ = login.partition(":")
    if colon:
        login = f"{user}:{MASK}"
    words = [
        f"{word.partition('=')[0]}={MASK}" if "password" in word.partition("=")[0].lower() else word
        for word in query.split("&")
    ]
    return f"{scheme}://{login}{at}{host}{mark}{'&'.join(words)}"


def shown(settings: Settings) -> dict[str, Any]:
    """Every setting in force, without passwords: for people to read, not to be read back."""
    tree: dict[str, Any] = json.loads(settings.to_json())
    for section in ("redis", "database"):
        tree[section] = {key: masked(value) for key, value in tree[section].items()}
    return tree
