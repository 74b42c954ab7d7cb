"""A batch of journal records as PostgreSQL's binary COPY: the bytes of `evidence_rows`, made without the rows.

Row objects and the driver's encoding of them cost three times what the bytes do, and every call has three records.
Format: PostgreSQL's COPY, "Binary Format": a header; per row a count of fields, per field its length (-1: NULL) and
its bytes; a trailer. Text is UTF-8, a timestamp microseconds since 2000, a bigint 8 octets, all in network order.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from struct import Struct
from typing import Final, NamedTuple

from gateway.store.journal.rows import JournalRow
from gateway.store.sql.evidence_rows import (
    DAY_US,
    MAX_CALL_ID,
    MAX_ID,
    MAX_KIND,
    MAX_NUMBER,
    Fields,
    bounded,
    column_text,
    instant,
    party_hash,
    read_fields,
    record_text,
)

_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER: Final = b"\xff\xff"
_NULL: Final = b"\xff\xff\xff\xff"
_EMPTY: Final = bytes(4)
_2000_US: Final = 946_684_800_000_000
_EPOCH_DAY: Final = date(1970, 1, 1)

_length: Final = Struct(">i").pack

_LENGTHS: Final = [_length(size) for size in range(256)]


class Copy(NamedTuple):
    """A batch, ready to be sent."""

    data: bytes
    days: set[date]
    """Whose partitions it needs."""


def copy_of(journal: str, rows: Iterable[JournalRow]) -> Copy:
    """The batch as `evidence_rows` would have it stored, columns in the order of `EvidenceRow`."""
    parts = [_HEADER]
    name = _text(journal)
    # Count of fields, `at`, `journal`, `seq`.
    begin = Struct(f">hiq{len(name)}siq").pack
    kinds: dict[str, bytes] = {}
    days: set[int] = set()
    at = 0
    for seq, payload, chain in rows:
        fields = read_fields(payload)
        at = fields.at or at
        microseconds = instant(at)
        days.add(microseconds // DAY_US)
        kind = kinds.get(fields.kind)
        if kind is None:
            kind = kinds[fields.kind] = _text(bounded(fields.kind, MAX_KIND) or "")
        # What is not plain ASCII without NUL, by the long way.
        if b"\0" in payload or b"\\u0000" in payload:
            fields = _without_nul(fields)
        if not payload.isascii() or b"\0" in payload or payload[:7] == b"base64:":
            payload = record_text(payload).encode()
        decision, number, call_id, party = fields.id, fields.number, fields.call_id, party_hash(fields.party)
        parts.append(
            b"%b%b%b%b%b%b%b%b%b%b" % (
                begin(10, 8, microseconds - _2000_US, name, 8, seq), kind,
                _text(decision) if len(decision) <= MAX_ID else _EMPTY,
                _text(number) if 0 < len(number) <= MAX_NUMBER else _NULL,
                _NULL if party is None else _LENGTHS[len(party)] + party,
                _text(call_id) if 0 < len(call_id) <= MAX_CALL_ID else _NULL,
                _length(len(payload)), payload, _LENGTHS[len(chain)], chain,
            )
        )  # fmt: skip
    parts.append(_TRAILER)
    return Copy(b"".join(parts), {_EPOCH_DAY + timedelta(day) for day in days})


def _without_nul(fields: Fields) -> Fields:
    return Fields(
        fields.kind, column_text(fields.id), fields.at, column_text(fields.number), fields.party,
        column_text(fields.call_id),
    )  # fmt: skip


def _text(value: str) -> bytes:
    data = value.encode()
    size = len(data)
    return (_LENGTHS[size] if size < 256 else _length(size)) + data
