"""What goes into the sealed part of a decision record: the subscriber's number and the raw identity headers."""

from __future__ import annotations

import msgspec

from gateway.sip.message import Request

RAW_HEADERS = frozenset(
    (
        b"From",
        b"To",
        b"Contact",
        b"P-Asserted-Identity",
        b"P-Preferred-Identity",
        b"Remote-Party-ID",
        b"Privacy",
        b"Diversion",
        b"History-Info",
        b"Referred-By",
        b"Identity",
        b"Call-Info",
        b"User-Agent",
    )
)
"""Headers kept as received (RULES Part 2e); what else a message holds says nothing about who called whom."""

MAX_RAW = 4_096
"""Bytes of one header value kept: an Identity header takes about 800, History-Info less."""

_encoder = msgspec.json.Encoder()


def sealed_content(request: Request, subscriber: str) -> bytes:
    """JSON: `subscriber` (canonical, empty if unread), `uri` (Request-URI), `headers` (name, value in order)."""
    return _encoder.encode(
        {
            "subscriber": subscriber,
            "uri": request.uri.decode("utf-8", "replace"),
            "headers": [
                (name.decode(), value[:MAX_RAW].decode("utf-8", "replace"))
                for name, value in request.headers
                if name in RAW_HEADERS
            ],
        }
    )
