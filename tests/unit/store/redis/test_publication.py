"""Heads and pages of a registry version, as they travel."""

from __future__ import annotations

import zlib
from dataclasses import replace

import msgspec
import pytest

from gateway.registry.model import NextHop, NumberRange, Operator, PlanEntry, Snapshot, Trunk
from gateway.registry.pages import PAGE_ROWS, page_of
from gateway.registry.standing import Bar
from gateway.store.redis.publication import (
    decode_page,
    decode_published,
    encode_page,
    encode_published,
    page_name,
    published_whole,
    table_of,
)

ROWS = tuple(
    NumberRange(
        f"r-{index:05d}", f"+86{20_000_000_000 + index * 10}", f"+86{20_000_000_009 + index * 10}", "alpha", ("cc",),
        certificate=f"C-{index}", filing="证" * (index % 3), valid_from=index / 2, valid_to=1e10,
        bars=(Bar("A12", f"certificate C-{index} is not on record (A24)"),) if index % 2 else (),
    )
    for index in range(2 * PAGE_ROWS + 5)
)  # fmt: skip
SNAPSHOT = Snapshot(
    7,
    (Operator("alpha", "Alpha", 1),),
    (Trunk("cc", "access", "alpha", ("127.0.0.2",), next_hops=(NextHop("::1"),), answers=(("x", 403, "No"),)),),
    ROWS,
    (PlanEntry("1", "mobile", 11, 11, "owner"),),
    ("110",),
    {"consultation": 2},
)


def test_there_and_back() -> None:
    published, blobs = published_whole(SNAPSHOT)
    assert len(blobs) == len(published.pages) == 3
    again = decode_published(encode_published(published))
    assert again == published and again.registry == replace(SNAPSHOT, ranges=())
    assert all(page_name(blobs[page.name]) == page.name for page in again.pages)
    table = table_of(again, [decode_page(blobs[page.name]) for page in again.pages])
    assert [table.find(row.first) for row in ROWS] == list(ROWS)


def test_a_change_of_one_range_is_one_page() -> None:
    row = replace(ROWS[100], state="suspended")
    _, before = published_whole(SNAPSHOT)
    _, after = published_whole(replace(SNAPSHOT, ranges=(*ROWS[:100], row, *ROWS[101:])))
    assert len(before.keys() & after.keys()) == 2


def test_what_pages_share_is_held_once() -> None:
    blob = encode_page(page_of(ROWS[:10]))
    known: dict[object, object] = {}
    one, other = decode_page(blob, known), decode_page(blob, known)  # type: ignore[arg-type]
    assert one.shared == other.shared
    assert all(mine is theirs for mine, theirs in zip(one.shared, other.shared, strict=True))


def test_foreign_heads_are_refused() -> None:
    for foreign in (b"", b"[]", b'{"version":1}', b'{"registry":{"version":"x"}}'):
        with pytest.raises(ValueError):
            decode_published(foreign)


def test_foreign_pages_are_refused() -> None:
    whole = zlib.decompress(encode_page(page_of(ROWS[:10])))
    columns = msgspec.msgpack.decode(whole)
    broken = [
        [2, *columns[1:]],  # another format
        [*columns[:1], [9], *columns[2:]],  # layers that are not the rows
        [*columns[:1], [5, 5, 10], *columns[2:]],
        [*columns[:2], b"", *columns[3:]],
        [*columns[:2], b"d" + columns[2][1:], *columns[3:]],
        [*columns[:6], b"H" + b"\xff" * 20, *columns[7:]],  # a kind there is none of
        [*columns[:-1], b"short"],
    ]
    for foreign in [b"", b"x", whole, *[zlib.compress(msgspec.msgpack.encode(one)) for one in broken]]:
        with pytest.raises(ValueError):
            decode_page(foreign)


def test_pages_of_another_version_are_refused() -> None:
    published, blobs = published_whole(SNAPSHOT)
    pages = [decode_page(blobs[page.name]) for page in published.pages]
    for wrong in (pages[:2], pages[::-1], [*pages, pages[0]]):
        with pytest.raises(ValueError, match="not those the head names"):
            table_of(published, wrong)
