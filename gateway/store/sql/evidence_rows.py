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

from gateway.store.journal.rows import JournalRow as ShippedRow

__all__ = [
    "EvidenceRow",
    "ShippedRow",
    "bare",
    "bounded",
    "column_text",
    "evidence_rows",
    "instant",
    "party_hash",
    "read_fields",
    "record_bytes",
    "record_text",
]

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

DAY_US: Final = 86_400_000_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_US: Final = int((LATEST - _EPOCH).total_seconds()) * 1_000_000
_ENCODED: Final = "base64:"


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


class Fields(msgspec.Struct, gc=False):
    """What is read out of a record for the columns; the record itself is stored as it is."""

    kind: str = ""
    id: str = ""
    at: int = 0
    number: str = ""
    party: str = ""
    call_id: str = ""


_decode: Final = msgspec.json.Decoder(Fields).decode
_NO_FIELDS: Final = Fields()


def read_fields(payload: bytes) -> Fields:
    """Those of a record; all empty where it cannot be read."""
    try:
        return _decode(payload)
    except (ValueError, RecursionError):
        return _NO_FIELDS


def evidence_rows(journal: str, rows: Iterable[ShippedRow]) -> list[EvidenceRow]:
    """The rows of a batch. A record that cannot be read, or says no time, takes the time of the one before."""
    made: list[EvidenceRow] = []
    at = 0
    for row in rows:
        fields = read_fields(row.payload)
        at = fields.at or at
        made.append(
            EvidenceRow(
                _EPOCH + timedelta(microseconds=instant(at)), journal, row.seq,
                bounded(fields.kind, MAX_KIND) or "", bounded(fields.id, MAX_ID) or "",
                bounded(fields.number, MAX_NUMBER), party_hash(fields.party), bounded(fields.call_id, MAX_CALL_ID),
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


def bounded(value: str, most: int) -> str | None:
    """For a column of at most so many characters: None where it is empty or none of ours."""
    return column_text(value) if 0 < len(value) <= most else None


def party_hash(value: str) -> bytes | None:
    """The keyed hash in its hex digits; None where there is none."""
    if not 0 < len(value) <= 2 * MAX_PARTY:
        return None
    try:
        return bytes.fromhex(value) or None
    except ValueError:
        return None


def instant(microseconds: int) -> int:
    """Epoch microseconds, or 0 for what is no time of ours."""
    return microseconds if 0 <= microseconds < _LATEST_US else 0
