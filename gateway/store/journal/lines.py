"""What a journal's files look like: names, header, lines, chain. No I/O but listing a directory."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec

SUFFIX: Final = ".jnl"
GENESIS: Final = b"0" * 32
"""The chain before the first record."""

TRAILER: Final = 34
"""Bytes after a payload: tab, 32 hex digits, newline."""

MAX_PAYLOAD: Final = 1 << 20
"""Bytes of one record. A decision record with the headers of the longest message sealed in it is below 128 KiB."""

FULL: Final = 1 << 62
"""Size given for a segment that must not be written to again."""


@dataclass(slots=True)
class JournalEnd:
    """Where a journal ends, as `recovery` found it."""

    segment: int
    """Number of the last segment; 0 where there is none yet."""
    size: int
    """Its size in bytes; FULL: a new segment must be begun."""
    records: int
    """Records in the whole journal, which is also the number of the last one."""
    chain: bytes
    """Chain after it: 32 hex digits."""
    first: int = 1
    """Number of the last segment's first record."""
    missing_from: int = 0
    """Number of the first record known to be gone from the journal's end; 0: none is."""


class SegmentHeader(msgspec.Struct, tag="segment", tag_field="kind", omit_defaults=True):
    """First line of every segment."""

    journal: str
    segment: int
    first: int
    """Number of the segment's first record, counted from 1 over the whole journal."""
    previous: str
    """The chain before that record."""
    missing_from: int = 0
    """The records from this one to the one before `first` were gone when the segment was begun; 0: none was."""


_header_decoder: Final = msgspec.json.Decoder(SegmentHeader)


def segment_path(directory: Path, segment: int) -> Path:
    return directory / f"{segment:08d}{SUFFIX}"


def list_segments(directory: Path) -> list[int]:
    """Numbers of the segments there, in order. Raises OSError."""
    names = [path.stem for path in directory.iterdir() if path.suffix == SUFFIX]
    return sorted(int(name) for name in names if len(name) == 8 and name.isascii() and name.isdigit())


def chain_next(previous: bytes, payload: bytes) -> bytes:
    """Chain after a record: 32 hex digits."""
    return blake2b(previous + payload, digest_size=16).hexdigest().encode()


def make_line(payload: bytes, chain: bytes) -> bytes:
    return b"%b\t%b\n" % (payload, chain)


def split_line(line: bytes) -> tuple[bytes, bytes] | None:
    """(payload, digits) of a line without its newline; None where it has not the form of one."""
    if len(line) < TRAILER - 1 or line[-33] != 0x09:
        return None
    return line[:-33], line[-32:]


def make_header(journal: str, segment: int, first: int, previous: bytes, missing_from: int = 0) -> bytes:
    """A header line."""
    payload = msgspec.json.encode(SegmentHeader(journal, segment, first, previous.decode(), missing_from))
    return make_line(payload, chain_next(previous, payload))


def read_header(line: bytes) -> SegmentHeader | None:
    """The header in a line without its newline; None where it is none, or not whole."""
    parts = split_line(line)
    if parts is None:
        return None
    payload, digits = parts
    try:
        header = _header_decoder.decode(payload)
        whole = digits == chain_next(header.previous.encode("ascii"), payload)
    except ValueError:
        return None
    return header if whole and len(header.previous) == 32 else None


def first_record(directory: Path, segment: int) -> int:
    """Number of a segment's first record; 0 where its header cannot be read. Raises OSError."""
    with open(segment_path(directory, segment), "rb") as file:
        header = read_header(file.readline(MAX_PAYLOAD)[:-1])
    return header.first if header is not None else 0


def set_aside_advice(directory: Path) -> str:
    """What somebody can do about a journal that cannot be read on."""
    return f"to go on after it, with the gap on record: callgate evidence set-aside {directory.name}"
