"""Consent and refusal events as rows of PostgreSQL's binary COPY format.

Each row: a count of columns (int16), then per column its length (int32, -1 for NULL) and its value in the type's binary
form. See the manual's page on COPY, "Binary Format". Columns stand in the order of the modules' `EVENT_COLUMNS`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Final

from gateway.store.sql.consents import EVENT_COLUMNS as CONSENT_COLUMNS
from gateway.store.sql.consents import ConsentEvent
from gateway.store.sql.refusals import EVENT_COLUMNS as REFUSAL_COLUMNS
from gateway.store.sql.refusals import RefusalEvent

HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER: Final = b"\xff\xff"

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_NULL: Final = b"\xff\xff\xff\xff"

_HEAD: Final = Struct(">hiqi8si")  # columns, id, hash, length of the sealed number
_WHO: Final = Struct(">iiihi?iq")  # operator, purpose, revoke, at
_LENGTH: Final = Struct(">i")
_TIME: Final = Struct(">iq")
_FLAG_TIME: Final = Struct(">i?iq")


def consent_row(event: ConsentEvent) -> bytes:
    """One row of `consent_events`."""
    sealed = event.callee_sealed.encode("ascii")
    return b"".join(
        (
            _HEAD.pack(len(CONSENT_COLUMNS), 8, event.line, 8, event.callee_hash, len(sealed)),
            sealed,
            _WHO.pack(4, event.operator, 2, event.purpose, 1, event.revoke, 8, _micros(event.at)),
            _time(event.expires_at),
            _text(event.evidence_uri),
            _bytes(event.evidence_sha256),
            _text(event.evidence_method),
            _time(event.evidence_at),
        )
    )


def refusal_row(event: RefusalEvent) -> bytes:
    """One row of `refusal_events`."""
    sealed = event.callee_sealed.encode("ascii")
    return b"".join(
        (
            _HEAD.pack(len(REFUSAL_COLUMNS), 8, event.line, 8, event.callee_hash, len(sealed)),
            sealed,
            _text(event.scope),
            _text(event.value),
            _text(event.band),
            _text(event.list),
            _FLAG_TIME.pack(1, event.withdraw, 8, _micros(event.at)),
            _text(event.source),
            _text(event.agreement),
        )
    )


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _time(at: datetime | None) -> bytes:
    return _NULL if at is None else _TIME.pack(8, _micros(at))


def _text(text: str | None) -> bytes:
    return _NULL if text is None else _bytes(text.encode())


def _bytes(data: bytes | None) -> bytes:
    return _NULL if data is None else _LENGTH.pack(len(data)) + data
