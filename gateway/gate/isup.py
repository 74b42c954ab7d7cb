"""Bodies that carry a second signalling message: ISUP and QSIG (RFC 3204), alone or inside a multipart (RFC 5621).

An IAM has its own calling and called party numbers, which the next hop may read instead of the SIP ones (RULES Part
2(d) form 27). From access they are refused in requests and cut out of responses.
"""

from __future__ import annotations

from gateway.sip.message import Headers
from gateway.sip.names import CONTENT_TYPE

SDP = b"application/sdp"
MAX_PARTS = 16
"""Parts of a multipart body that are looked at; calls carry two or three."""

_BODY_HEADERS = frozenset(
    {b"content-type", b"content-disposition", b"content-encoding", b"content-language", b"content-id", b"mime-version"}
)
_ENCODING = b"Content-Encoding"
_WORDS = (b"isup", b"qsig")


def carries_isup(headers: Headers, body: bytes) -> bool:
    """Is there, or may there be, an ISUP or QSIG message in this body?

    Deliberately blunt: a multipart that holds the word is one, however it writes the header of the part, and so is a
    multipart that is compressed, because nobody here has looked into it.
    """
    multipart = False
    encoded = False
    for name, value in headers:
        if name == CONTENT_TYPE:
            if value == SDP:
                continue
            kind = value.lower()
            if _names_isup(kind):
                return True
            multipart = multipart or kind.lstrip().startswith((b"multipart", b"message"))
        elif name == _ENCODING:
            encoded = encoded or value.strip().lower() not in (b"", b"identity")
    return multipart and (encoded or _names_isup(body.lower()))


def strip_isup(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    """The message without its ISUP parts: the SDP part alone where there is one, else no body at all."""
    kept = [header for header in headers if header[0].lower() not in _BODY_HEADERS]
    session = _sdp_part(headers, body)
    if session:
        kept.append((CONTENT_TYPE, SDP))
    return kept, session


def _names_isup(text: bytes) -> bool:
    return any(word in text for word in _WORDS)


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
