"""Number ranges in SQL as the publisher reads them: in order of their numbers, part by part, and which have changed."""

from __future__ import annotations

import zlib
from asyncio import to_thread
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from gateway.registry.model import NumberRange
from gateway.registry.number_key import DIGITS, KEYS, LENGTH_SHIFT, PLUS, number_key
from gateway.store.sql.registry import BARE, DIGIT_BITS, RANGES

CLASSES: Final = ((0, PLUS), (PLUS, KEYS))
"""Short codes, E.164 numbers: in each, `number_key` and the column `numbers` have the same order."""
BATCH: Final = 2_048
"""Rows read at once: 15 ms of the event loop."""
MAX_UNDO: Final = 8 << 20
"""Bytes of what changes undid, packed: of 100,000 ranges and more. Beyond, it is quicker to read all ranges."""

_BETWEEN: Final = (
    f"{RANGES} WHERE numbers && int8range($1, $2) AND lower(numbers) >= $1 ORDER BY lower(numbers), validity"
)
_OWNERS: Final = "SELECT operator, bool_or(outbound) FROM number_ranges GROUP BY operator"


class _Undone(msgspec.Struct):
    """Of `registry_versions.Undo` what says where ranges were."""

    class Row(msgspec.Struct):
        id: str
        first: str

    ranges: tuple[Row, ...] = ()
    new: dict[str, tuple[str, ...]] = {}


_decoder: Final = msgspec.json.Decoder(_Undone)


async def rows_between(raw: Any, low: int, high: int) -> AsyncIterator[list[Any]]:
    """Rows of `RANGES` with low <= `number_key` of the first number < high, both in one of CLASSES, in batches in order
    of `pages.sort_key`. `raw`: asyncpg connection inside a transaction."""
    cursor = await raw.cursor(_BETWEEN, _column(low, False), _column(high, True))
    while batch := await cursor.fetch(BATCH):
        yield batch


async def owners(raw: Any) -> tuple[NumberRange, ...]:
    """For each operator with ranges one that stands for all: `outbound` where one of them is."""
    return tuple([NumberRange("", "", "", row[0], (), outbound=row[1]) for row in await raw.fetch(_OWNERS)])


async def changed_firsts(raw: Any, since: int, until: int) -> list[int] | None:
    """Where ranges begin, or began, that changed after version `since` up to `until`, as `number_key`. None where that
    is not on file, or too much."""
    if since >= until:
        return [] if since == until else None
    size, count = await raw.fetchrow(
        "SELECT coalesce(sum(length(undo)), 0), count(*) FROM registry_versions WHERE version > $1 AND version <= $2",
        *(since, until),
    )
    if count != until - since or size > MAX_UNDO:
        return None
    rows = await raw.fetch("SELECT undo FROM registry_versions WHERE version > $1 AND version <= $2", since, until)
    ids, firsts = await to_thread(_undone, [row[0] for row in rows])
    rows = await raw.fetch("SELECT first FROM number_ranges WHERE id = ANY($1::text[])", list(ids))
    return [number_key(first) for first in firsts.union(row[0] for row in rows)]


async def operators_firsts(raw: Any, operators: list[str]) -> list[int]:
    """Where the ranges of these operators begin, as `number_key`."""
    rows = await raw.fetch("SELECT first FROM number_ranges WHERE operator = ANY($1::text[])", operators)
    return [number_key(row[0]) for row in rows]


def _undone(packed: list[bytes]) -> tuple[set[str], set[str]]:
    """Ids of ranges that changed, and where those began that are gone or were moved."""
    ids: set[str] = set()
    firsts: set[str] = set()
    for one in packed:
        undo = _decoder.decode(zlib.decompress(one))
        ids.update([row.id for row in undo.ranges], undo.new.get("ranges", ()))
        firsts.update([row.first for row in undo.ranges])
    return ids, firsts


def _column(key: int, end: bool) -> int:
    """The key of the column `numbers` for one of `number_key`'s; `end`: an upper bound, which may be that of a
    class."""
    if key == KEYS or (end and key == PLUS):
        return BARE if key == KEYS else BARE << 1
    bare = 0 if key & PLUS else BARE
    return (key >> LENGTH_SHIFT & 0x3F) << DIGIT_BITS | key & DIGITS | bare
