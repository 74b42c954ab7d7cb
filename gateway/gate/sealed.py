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

MAX_RAW = 2_048
"""Bytes of one header value kept: an Identity header takes about 800, History-Info less."""

MAX_RAW_HEADERS = 16
"""Headers kept of one message, from the top: an ordinary INVITE has five of them, with every identity header twelve."""

MAX_RAW_TOTAL = 8_192
"""Bytes of all values kept: a stranger's INVITE must not fill the disk eight times faster than another's."""

_encoder = msgspec.json.Encoder()


def sealed_content(request: Request, subscriber: str) -> bytes:
    """JSON: `subscriber` (canonical, empty if unread), `uri` (Request-URI), `headers` (name, value in order), `more`
    (how many were left out or cut)."""
    kept: list[tuple[str, str]] = []
    room = MAX_RAW_TOTAL
    more = 0
    for name, value in request.headers:
        if name not in RAW_HEADERS:
            continue
        size = min(len(value), MAX_RAW, room)
        if len(kept) >= MAX_RAW_HEADERS or not size:
            more += 1
            continue
        more += size < len(value)
        room -= size
        kept.append((name.decode(), value[:size].decode("utf-8", "replace")))
    return _encoder.encode(
        {
            "subscriber": subscriber,
            "uri": request.uri[:MAX_RAW].decode("utf-8", "replace"),
            "headers": kept,
            "more": more,
        }
    )
