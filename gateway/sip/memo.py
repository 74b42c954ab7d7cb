"""What was read before, kept up to a bound: forgotten all at once when that is reached, or when the load goes down.

A memory of texts that strangers send needs a bound; one that is full is seldom, and filled again by a few messages, so
nothing is spent on knowing which entry is the oldest.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

Key = TypeVar("Key")
Reading = TypeVar("Reading")

_memos: Final[list[dict[Any, Any]]] = []


def new_memo() -> dict[Any, Any]:
    """A memo of this process, for as long as it runs: one that `forget_all` empties."""
    memo: dict[Any, Any] = {}
    _memos.append(memo)
    return memo


def forget_all() -> None:
    """Empty every memo made by `new_memo`: all they hold can be read again."""
    for memo in _memos:
        memo.clear()


def remember(memo: dict[Key, Reading], bound: int, key: Key, reading: Reading) -> None:
    """Keep what `key` was read as. `memo` never holds more than `bound` entries."""
    if len(memo) >= bound:
        memo.clear()
    memo[key] = reading
