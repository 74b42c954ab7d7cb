"""What was read before, kept up to a bound: forgotten all at once when that is reached.

A memory of texts that strangers send needs a bound; one that is full is seldom, and filled again by a few messages, so
nothing is spent on knowing which entry is the oldest.
"""

from __future__ import annotations

from typing import TypeVar

Key = TypeVar("Key")
Reading = TypeVar("Reading")


def remember(memo: dict[Key, Reading], bound: int, key: Key, reading: Reading) -> None:
    """Keep what `key` was read as. `memo` never holds more than `bound` entries."""
    if len(memo) >= bound:
        memo.clear()
    memo[key] = reading
