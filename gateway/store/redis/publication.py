"""A registry version as it travels: a small head, and its number ranges in pages that are named by their content.

A change of one range is a new head and one new page; the pages it does not touch keep their names, so nobody encodes,
stores or fetches them again. A head of a million ranges is 30 KB, a page of two thousand 20 to 60 KB."""

from __future__ import annotations

import hashlib
import sys
import zlib
from array import array
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final, NamedTuple

import msgspec

from gateway.registry.model import Snapshot
from gateway.registry.pages import Page, Shared
from gateway.registry.ranges import RangeTable

FORMAT: Final = 1
"""Of pages; another one is read by nobody who does not know it."""
NAME_BYTES: Final = 16
COMPRESSION: Final = 1
"""zlib's fastest: a third of the size for 1 ms a page."""


class PageName(NamedTuple):
    """A page of a version."""

    low: int
    """Key of its lowest number (`registry.number_key`)."""
    name: str
    """Hexadecimal digest of its blob."""
    rows: int


class Published(msgspec.Struct, frozen=True, omit_defaults=True):
    """The head of a version. `basis` and `papers` are the publisher's, who sees by them which pages still hold."""

    registry: Snapshot
    """Without its ranges."""
    pages: tuple[PageName, ...] = ()
    """In order."""
    basis: str = ""
    """Digest of what every range's page depends on."""
    papers: dict[str, str] = {}
    """Operator to digest of what the pages with its ranges depend on."""


class _Columns(msgspec.Struct, array_like=True):
    """A page as it is encoded. Arrays are little-endian, and begin with their type code."""

    format: int
    ends: tuple[int, ...]
    firsts: bytes
    widths: bytes
    froms: bytes
    untils: bytes
    kinds: bytes
    shared: tuple[Shared, ...]
    begins: tuple[str, str, str]
    offsets: bytes
    texts: bytes


_head_decoder: Final = msgspec.json.Decoder(Published)
_page_decoder: Final = msgspec.msgpack.Decoder(_Columns)
_encode_page: Final = msgspec.msgpack.Encoder().encode
_SWAP: Final = sys.byteorder == "big"


def encode_published(published: Published) -> bytes:
    return msgspec.json.encode(published)


def decode_published(blob: bytes) -> Published:
    """Raises ValueError (msgspec.DecodeError, ValidationError) where the blob is no head."""
    return _head_decoder.decode(blob)


def page_name(blob: bytes) -> str:
    """The name a page's blob goes by."""
    return hashlib.blake2b(blob, digest_size=NAME_BYTES).hexdigest()


def encode_page(page: Page) -> bytes:
    columns = _Columns(
        FORMAT, page.ends, _packed(page.firsts), _packed(page.widths), _packed(page.froms), _packed(page.untils),
        _packed(page.kinds), page.shared, page.begins, _packed(page.offsets), page.texts,
    )  # fmt: skip
    return zlib.compress(_encode_page(columns), COMPRESSION)


def decode_page(blob: bytes, known: dict[Shared, Shared] | None = None) -> Page:
    """`known`: what pages share among them, to be held once in memory; it grows. Raises ValueError where the blob is
    no page."""
    try:
        columns = _page_decoder.decode(zlib.decompress(blob))
    except zlib.error as error:
        raise ValueError(f"page of ranges: {error}") from None
    if columns.format != FORMAT:
        raise ValueError(f"page of ranges: format {columns.format}, {FORMAT} is known here")
    shared = columns.shared if known is None else tuple([known.setdefault(one, one) for one in columns.shared])
    return Page(
        columns.ends, _array(columns.firsts), _array(columns.widths), _array(columns.froms, "Id"),
        _array(columns.untils, "Id"), _array(columns.kinds), shared, columns.begins, _array(columns.offsets),
        columns.texts,
    )  # fmt: skip


def published_whole(snapshot: Snapshot) -> tuple[Published, dict[str, bytes]]:
    """A snapshot with its ranges: head, and pages by name. Raises ValueError as `RangeTable` does."""
    blobs: dict[str, bytes] = {}
    names = []
    for page in RangeTable(snapshot.ranges, snapshot.country).pages:
        blob = encode_page(page)
        names.append(PageName(page.low, page_name(blob), len(page)))
        blobs[names[-1].name] = blob
    return Published(replace(snapshot, ranges=()), tuple(names)), blobs


def table_of(published: Published, pages: Iterable[Page]) -> RangeTable:
    """The ranges of a version. Raises ValueError where they are not the head's."""
    found = list(pages)
    if [(page.low, len(page)) for page in found] != [(name.low, name.rows) for name in published.pages]:
        raise ValueError("pages of ranges: not those the head names")
    return RangeTable((), published.registry.country, found)


def _packed(values: array[Any]) -> bytes:
    if _SWAP:
        values = values[:]
        values.byteswap()
    return values.typecode.encode() + values.tobytes()


def _array(packed: bytes, codes: str = "HIQ") -> array[Any]:
    """An array whose type is one of `codes`."""
    code = chr(packed[0]) if packed else ""
    if not code or code not in codes:
        raise ValueError(f"page of ranges: array of type {code!r}")
    values: array[Any] = array(code)
    values.frombytes(packed[1:])
    if _SWAP:
        values.byteswap()
    return values
