"""What goes into the sealed part of a decision record: the subscriber's number and the raw identity headers."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.gate.identity_headers import RAW_HEADERS
from gateway.gate.shape import shape_of
from gateway.sip.message import Request

__all__ = ["MAX_RAW", "MAX_RAW_HEADERS", "MAX_RAW_TOTAL", "RAW_HEADERS", "sealed_content"]

MAX_RAW: Final = 2_048
"""Bytes of one header value kept: an Identity header takes about 800, History-Info less."""

MAX_RAW_HEADERS: Final = 16
"""Headers kept of one message, from the top: an ordinary INVITE has five of them, with every identity header twelve."""

MAX_RAW_TOTAL: Final = 8_192
"""Bytes of all values kept: a stranger's INVITE must not fill the disk eight times faster than another's."""


_encode: Final = msgspec.json.Encoder().encode


def _legible(value: bytes) -> str:
    """UTF-8, or a display-name in GBK (`sip.headers`); what is neither shows where it is not."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        return value.decode("gb18030")
    except UnicodeDecodeError:
        return value.decode("utf-8", "replace")


def sealed_content(request: Request, subscriber: str) -> bytes:
    """JSON: `subscriber` (canonical, empty if unread), `uri` (Request-URI), `headers` (name, value in order), `more`
    (how many were left out or cut)."""
    kept: list[tuple[str, str]] = []
    room = MAX_RAW_TOTAL
    more = 0
    headers = request.headers
    for at, name in shape_of(headers).raw:
        value = headers[at][1]
        size = len(value)
        cut = size > MAX_RAW or size > room
        if cut:
            size = min(MAX_RAW, room)
            value = value[:size]
        if not size or len(kept) >= MAX_RAW_HEADERS:
            more += 1
            continue
        if cut:
            more += 1
        room -= size
        kept.append((name, _legible(value)))
    uri = request.uri[:MAX_RAW].decode("utf-8", "replace")
    content: bytes = _encode({"subscriber": subscriber, "uri": uri, "headers": kept, "more": more})
    return content
