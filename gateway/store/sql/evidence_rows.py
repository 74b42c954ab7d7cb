"""A journal record as a row of `evidence`: columns to search by, and the record as it was.

What the columns hold is bounded: a B-tree entry above about 2,700 bytes is refused by PostgreSQL, and with it the
whole batch. A value above its bound is none of ours; its column is empty, the record stays whole.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import msgspec

MAX_KIND: Final = 32
"""Characters of a record's kind; ours have at most 8."""

MAX_ID: Final = 64
"""Characters of a decision id; ours have 32."""

MAX_NUMBER: Final = 32
"""Characters of a canonical number: E.164 has 15 digits, no field of digits is read beyond 20."""

MAX_PARTY: Final = 32
"""Bytes of a keyed hash; ours have 8."""

MAX_CALL_ID: Final = 8_192
"""Characters of a Call-ID that can be searched for: the longest line SIP is read from. The parser takes far less."""

CALL_ID_PREFIX: Final = 255
"""Characters of a Call-ID in its index, at most 1,020 bytes: all of whatever the parser takes (MAX_CALL_ID in
sip/limits.py). The index in schema.py and the search in calls.py are both over this prefix."""

LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
"""Times from here on, and before 1970, are no times of ours."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ENCODED: Final = "base64:"


class ShippedRow(NamedTuple):
    """One record of a journal."""

    seq: int
    """Its number in the journal, from 1."""
    payload: bytes
    """The line without tab and chain value."""
    chain: bytes
    """Chain value after it, 32 hex digits."""


class EvidenceRow(NamedTuple):
    """The columns of `evidence`, in the order of COPY."""

    at: datetime
    journal: str
    seq: int
    kind: str
    id: str
    number: str | None
    party: bytes | None
    call_id: str | None
    record: str
    chain: str


class _Fields(msgspec.Struct):
    """What is read out of a record for the columns; the record itself is stored as it is."""

    kind: str = ""
    id: str = ""
    at: int = 0
    number: str = ""
    party: str = ""
    call_id: str = ""


_fields_decoder: Final = msgspec.json.Decoder(_Fields)


def evidence_rows(journal: str, rows: Iterable[ShippedRow]) -> list[EvidenceRow]:
    """The rows of a batch. A record that cannot be read, or says no time, takes the time of the one before."""
    made: list[EvidenceRow] = []
    at = 0
    for row in rows:
        try:
            fields = _fields_decoder.decode(row.payload)
        except (ValueError, RecursionError):
            fields = _Fields()
        at = fields.at or at
        made.append(
            EvidenceRow(
                _instant(at), journal, row.seq,
                _bounded(fields.kind, MAX_KIND) or "", _bounded(fields.id, MAX_ID) or "",
                _bounded(fields.number, MAX_NUMBER), _hash(fields.party), _bounded(fields.call_id, MAX_CALL_ID),
                record_text(row.payload), row.chain.decode("ascii"),
            )
        )  # fmt: skip
    return made


def bare(row: EvidenceRow) -> EvidenceRow:
    """The same record with the columns to search by empty: for one the database would not take."""
    return row._replace(id="", number=None, party=None, call_id=None)


def record_text(payload: bytes) -> str:
    """A record for a text column: as it is; in base64, marked, where PostgreSQL text cannot hold it (octets that are
    no UTF-8, NUL). `record_bytes` undoes it."""
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text or text.startswith(_ENCODED):
        return _ENCODED + b64encode(payload).decode("ascii")
    return text


def record_bytes(record: str) -> bytes:
    """The record as the journal has it, which is what the chain is over. Raises ValueError where somebody altered it
    into no base64."""
    return b64decode(record[len(_ENCODED) :], validate=True) if record.startswith(_ENCODED) else record.encode()


def column_text(value: str) -> str:
    """As a column holds it: PostgreSQL text has no NUL."""
    return value.replace("\0", "\ufffd")


def _bounded(value: str, most: int) -> str | None:
    return column_text(value) if 0 < len(value) <= most else None


def _hash(value: str) -> bytes | None:
    if not 0 < len(value) <= 2 * MAX_PARTY:
        return None
    try:
        return bytes.fromhex(value) or None
    except ValueError:
        return None


def _instant(microseconds: int) -> datetime:
    try:
        at = _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return _EPOCH
    return at if _EPOCH <= at < LATEST else _EPOCH
