"""Bodies from access: what may stand in one, and how the rest is cut out.

A body can carry a second signalling message: ISUP and QSIG (RFC 3204), GTD, Q.931, a whole SIP message. Each has its
own calling and called party numbers, which the next hop may read instead of the SIP ones (RULES Part 2(d) form 27), so
that only types known to name no party pass. Anything else is refused in requests and cut out of what is never refused:
responses, ACK, BYE, CANCEL, PRACK.
"""

from __future__ import annotations

from typing import Final

from gateway.sip.chars import table
from gateway.sip.message import Headers
from gateway.sip.names import CANONICAL, CONTENT_TYPE

SDP: Final = b"application/sdp"
CONTENT_ENCODING: Final = CANONICAL[b"Content-Encoding"]
MAX_PARTS: Final = 16
"""Parts of a multipart body that are looked at; calls carry two or three."""
MAX_NAMED_TYPE: Final = 64
"""Octets of a type that a finding repeats; registered types have fewer."""

_MULTIPARTS: Final = frozenset({b"multipart/mixed", b"multipart/alternative", b"multipart/related"})
_ALLOWED: Final = _MULTIPARTS | {
    *(SDP, b"application/dtmf-relay", b"application/dtmf", b"application/media_control+xml", b"text/plain"),
}
_LOCATION: Final = frozenset({b"application/pidf+xml"})
"""Where the caller is (RFC 6442): in emergency calls only, for elsewhere its `entity` could show another number."""
_IDENTITY_CODINGS: Final = frozenset({b"", b"identity"})
_BODY_HEADERS: Final = frozenset(
    {b"content-type", b"content-disposition", b"content-encoding", b"content-language", b"content-id", b"mime-version"}
)
_LINES: Final = bytes(0x0A if octet in b"\r\x0b\x0c\x1c\x1d\x1e\x85" else octet for octet in range(256)).lower()
"""Lower case, and every octet that some reader ends a line at made LF."""
_MARKS: Final = ((b"content-type:", True), (b"\nc:", True), (b"content-encoding:", False), (b"\ne:", False))
"""What declares a part's type or coding, long and compact: a SIP stack may read the head of a part as its own."""
_NAMED: Final = table(b"abcdefghijklmnopqrstuvwxyz0123456789-.+_/")
_NOT_DIGITS: Final = bytes(octet for octet in range(256) if octet not in b"0123456789")


def foreign_body(headers: Headers, body: bytes, emergency: bool = False) -> str:
    """What in this body may not pass: its type, `no Content-Type` or `encoded`; "" where all of it may.

    Deliberately blunt: in a multipart everything that looks like the declaration of a type is one, wherever it stands,
    so that no reading of boundaries and line ends finds a part that was not seen here.
    """
    if not body:
        return ""
    kind = b""
    for name, value in headers:
        if name == CONTENT_TYPE:
            kind = value
        elif name == CONTENT_ENCODING and value.strip().lower() not in _IDENTITY_CODINGS:
            return "encoded"
    if kind == SDP:
        return ""
    if not kind:
        return "no Content-Type"
    allowed = _ALLOWED | _LOCATION if emergency else _ALLOWED
    kind = kind.split(b";", 1)[0].strip().lower()
    if kind not in allowed:
        return _named(kind)
    return _foreign_part(body, allowed) if kind in _MULTIPARTS else ""


def _foreign_part(body: bytes, allowed: frozenset[bytes]) -> str:
    text = b"\n" + body.translate(_LINES, b" \t")
    for mark, is_type in _MARKS:
        pieces = text.split(mark, MAX_PARTS + 1)
        if len(pieces) > MAX_PARTS + 1:
            return "too many parts"
        for piece in pieces[1:]:
            value = piece.lstrip(b"\n").split(b"\n", 1)[0].split(b";", 1)[0]
            if is_type and value not in allowed:
                return _named(value)
            if not is_type and value not in _IDENTITY_CODINGS:
                return "encoded"
    return ""


def cut_out(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    """The message with the SDP part alone where there is one, else with no body at all."""
    kept = [header for header in headers if header[0].lower() not in _BODY_HEADERS]
    session = _sdp_part(headers, body)
    if session:
        kept.append((CONTENT_TYPE, SDP))
    return kept, session


def _named(kind: bytes) -> str:
    """A type as a finding names it: details end in records, and must hold no number."""
    if len(kind) > MAX_NAMED_TYPE or kind.translate(_NAMED) != kind or len(kind.translate(None, _NOT_DIGITS)) > 4:
        return "of another type"
    return kind.decode("ascii")


def _sdp_part(headers: Headers, body: bytes) -> bytes:
    """Content of the first part of type application/sdp; b"" for none."""
    boundary = b""
    for name, value in headers:
        if name == CONTENT_TYPE:
            at = value.lower().find(b"boundary=")
            boundary = value[at + 9 :].split(b";", 1)[0].strip(b' \t"') if at >= 0 else b""
    if not boundary or body.count(b"--" + boundary) > MAX_PARTS:
        return b""
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary)[1:]:
        head, blank, content = part.partition(b"\r\n\r\n")
        if blank and b"content-type:" + SDP in head.lower().replace(b" ", b"").replace(b"\t", b""):
            return content
    return b""
