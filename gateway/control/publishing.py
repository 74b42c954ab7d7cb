"""A registry version made ready for workers: its head, and those pages of ranges that are not in Redis yet.

Theory of operation. The head that Redis holds says how the ranges were cut into pages, and what the pages were made
from. From there on a page is made anew where a range in it changed (`registry_versions` knows which did), where the
papers of an operator with ranges in it changed, and where Redis has lost it; all others keep their names. So a change
costs the pages it touches, after a restart as well, and any head that Redis comes back with is good to go on from. All
pages are made anew where what all depend on changed, or where it is not on file what did.

PostgreSQL is read in one snapshot. What takes the processor for long runs in a thread, a page at a time: the event loop
goes on with other things."""

from __future__ import annotations

import asyncio
import hashlib
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.control.record import record_of
from gateway.registry.issues import Record
from gateway.registry.model import NumberRange, Snapshot
from gateway.registry.number_key import number_key
from gateway.registry.pages import PAGE_ROWS, cut, page_of
from gateway.registry.publish import RangePapers, standings
from gateway.store.redis.publication import (
    FORMAT,
    PageName,
    Published,
    encode_page,
    encode_published,
    page_name,
)
from gateway.store.sql.documents import load_documents
from gateway.store.sql.engine import driver
from gateway.store.sql.range_rows import CLASSES, changed_firsts, operators_firsts, owners, rows_between
from gateway.store.sql.registry import load_frame, range_of

FEW_ROWS: Final = PAGE_ROWS // 8
"""A page that shrank below this is made one with the next."""
MANY_ROWS: Final = 2 * PAGE_ROWS
"""A page that grew beyond this is cut anew."""
WORK: Final = 1
"""Goes up where the same rows and papers make other pages than before."""


class Publication:
    """A version that is ready. `pages`: blobs by name, of those that were made."""

    def __init__(self, published: Published, pages: dict[str, bytes]) -> None:
        self.version = published.registry.version
        self.purposes = published.registry.purposes
        self.blob = encode_published(published)
        self.names = [page.name for page in published.pages]
        self.pages = pages


async def publication(
    connection: AsyncConnection, previous: Published | None = None, held: Iterable[str] = ()
) -> Publication:
    """The registry as it is now. `connection`: inside a repeatable-read transaction. `previous`: the head to go on
    from, `held`: which of its pages Redis has."""
    raw = await driver(connection)
    frame = await load_frame(connection)
    frame = replace(frame, ranges=await owners(raw))
    record = record_of(frame, await load_documents(connection))
    basis, papers = await asyncio.to_thread(_digests, record)
    spans = _spans(previous.pages if previous and previous.basis == basis else ())
    stale = await _stale(raw, spans, previous, frame.version, papers, held) if len(spans) > len(CLASSES) else None
    maker = _Maker(record)
    names: list[PageName] = []
    at = 0
    while at < len(spans):
        page = spans[at][2]
        if page is not None and stale is not None and at not in stale:
            names.append(page)
            at += 1
        else:
            at = await maker.remake(raw, spans, at, names)
    frame = replace(frame, standings=await asyncio.to_thread(standings, record), ranges=())
    return Publication(Published(frame, tuple(names), basis, papers), maker.pages)


_Span = tuple[int, int, PageName | None]
"""Lowest key, the key behind its last one, and the page that was made of it."""


def _spans(pages: tuple[PageName, ...]) -> list[_Span]:
    """All keys, divided as the pages are."""
    spans: list[_Span] = []
    for low, high in CLASSES:
        found = [page for page in pages if low <= page.low < high]
        edges = [low, *[page.low for page in found[1:]], high]
        spans += [
            (edges[place], edges[place + 1], found[place] if found else None) for place in range(len(edges) - 1)
        ]
    return spans


async def _stale(
    raw: Any, spans: list[_Span], previous: Published | None, version: int, papers: dict[str, str], held: Iterable[str]
) -> set[int] | None:
    """Which spans need other pages; None: all."""
    if previous is None:
        return None
    firsts = await changed_firsts(raw, previous.registry.version, version)
    if firsts is None:
        return None
    before = previous.papers
    moved = [operator for operator in papers.keys() | before.keys() if papers.get(operator) != before.get(operator)]
    if moved:
        firsts += await operators_firsts(raw, moved)
    lows = [low for low, _, _ in spans]
    there = set(held)
    lost = [place for place, (_, _, page) in enumerate(spans) if page is not None and page.name not in there]
    return {bisect_right(lows, first) - 1 for first in firsts}.union(lost)


class _Maker:
    """Makes pages."""

    def __init__(self, record: Record) -> None:
        self._papers = RangePapers(record)
        self.pages: dict[str, bytes] = {}
        """Made so far, by name."""

    async def remake(self, raw: Any, spans: list[_Span], at: int, names: list[PageName]) -> int:
        """Pages of a span, and of those behind it that its ranges reach into, or that it is too small without. Their
        names go to `names`; the place of the next span."""
        rows: list[NumberRange] = []
        while True:
            low, high, _ = spans[at]
            enough = MANY_ROWS
            async for batch in rows_between(raw, low, high):
                rows += await asyncio.to_thread(_ranges, batch)
                if len(rows) >= enough + PAGE_ROWS:
                    rows = await asyncio.to_thread(self._make, rows, names, False)
                    enough = max(MANY_ROWS, 2 * len(rows))  # ranges that all reach over each other stay together
            at += 1
            last = at == len(spans) or spans[at][0] in (low for low, _ in CLASSES)
            if last or not (0 < len(rows) < FEW_ROWS or any(number_key(row.last) >= high for row in rows)):
                break
        await asyncio.to_thread(self._make, rows, names, True)
        return at

    def _make(self, rows: list[NumberRange], names: list[PageName], all_there: bool) -> list[NumberRange]:
        """Pages of sorted rows. Where not all are there, the last page's rows are left."""
        parts = list(cut(rows, PAGE_ROWS if len(rows) > MANY_ROWS or not all_there else len(rows)))
        rest = [] if all_there else list(parts.pop())
        for part in parts:
            page = page_of(self._papers.barred(part))
            blob = encode_page(page)
            names.append(PageName(page.low, page_name(blob), len(page)))
            self.pages[names[-1].name] = blob
        return rest


def _ranges(rows: list[Any]) -> list[NumberRange]:
    return [range_of(row) for row in rows]


def _digests(record: Record) -> tuple[str, dict[str, str]]:
    """What every page depends on, and by operator what the pages with its ranges do (`paper_number.range_issues`)."""
    frame: Snapshot = record.snapshot
    papers: dict[str, list[object]] = {}
    for one in record.held:
        papers.setdefault(one.document.operator, []).append((one.document, one.begins, one.ends))
    regions: dict[str, list[tuple[str, str]]] = {}
    for trunk in frame.trunks:
        regions.setdefault(trunk.operator, []).append((trunk.id, trunk.region))
    basis = _digest((FORMAT, WORK, frame.plan, frame.emergency, frame.country, frame.zone))
    return basis, {
        row.id: _digest((row.operator_class, papers.get(row.id, ()), regions.get(row.id, ())))
        for row in frame.operators
    }  # fmt: skip


def _digest(value: object) -> str:
    return hashlib.blake2b(msgspec.json.encode(value), digest_size=12).hexdigest()
