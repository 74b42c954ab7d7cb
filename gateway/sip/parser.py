"""Bytes to message: the one place where SIP is read.

`parse` has datagram semantics (RFC 3261 §18.3). It takes what the RFC 3261 ABNF takes, with the liberties RFC
4475 asks for, and refuses the rest whole, because a message that two elements read differently is how a gate
is passed by: a second From, a bare CR, a name with an odd octet before its colon. Any bytes give a message or
RemoteProtocolError, nothing else.
"""

from __future__ import annotations

from gateway.sip.chars import TOKEN
from gateway.sip.errors import RemoteProtocolError, bad
from gateway.sip.everyday import read_everyday
from gateway.sip.fields import KNOWN_METHODS, check_call_id, check_contacts, read_cseq, read_number
from gateway.sip.headers import is_text, read_head
from gateway.sip.limits import MAX_HOPS, MAX_MESSAGE, MAX_TAG
from gateway.sip.message import Headers, Request, Response
from gateway.sip.nameaddr import read_party
from gateway.sip.names import CALL_ID, CONTACT, CONTENT_LENGTH, CSEQ, FROM, MAX_FORWARDS, TO, VIA
from gateway.sip.salvage import salvage_request
from gateway.sip.uri import parse_uri
from gateway.sip.via import parse_via


def is_keepalive(data: bytes) -> bool:
    """Nothing but CRLFs (RFC 5626 §3.5.1, RFC 3261 §7.5), or the NULs some clients send to keep a NAT
    open."""
    return not data.strip(b"\r\n\x00")


def parse(data: bytes) -> Request | Response:
    """One datagram to one message.

    A Content-Length smaller than the rest cuts the rest off, a larger one is an error, none takes all (RFC
    3261 §18.3). Raises RemoteProtocolError only; its `salvage` says what an answer can copy, None means
    silence.
    """
    message = read_everyday(data)
    if message is not None:
        return message
    try:
        return parse_slowly(data)
    except RemoteProtocolError as error:
        if error.salvage is None:
            error.salvage = salvage_request(data)
        raise


def parse_slowly(data: bytes) -> Request | Response:
    """`parse` for every message there is; `everyday.read_everyday` takes most of them, and gives the same."""
    if len(data) > MAX_MESSAGE:
        raise RemoteProtocolError(513, b"Message Too Large")
    if data[:2] == b"\r\n":  # RFC 3261 §7.5: ignore CRLFs before the start-line
        data = _without_leading_crlfs(data)
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        raise bad(b"No End of Headers")
    start_line, headers, first, lines = read_head(head)
    length = first.get(CONTENT_LENGTH)
    if length is not None:
        size = read_number(length, CONTENT_LENGTH)
        if size != len(rest):
            if size > len(rest):
                raise bad(b"Content-Length Beyond the Message")
            rest = rest[:size]
        if headers[-1][0] is CONTENT_LENGTH:
            headers.pop()
            if lines:
                lines.pop()
        else:
            headers.remove((CONTENT_LENGTH, length))
            if lines:
                lines.remove(b"%b: %b" % (CONTENT_LENGTH, length))
    words = start_line.split(b" ", 3)
    method = KNOWN_METHODS.get(words[0])
    if method is None and start_line[:4].upper() == b"SIP/":
        return _response(start_line, headers, first, rest, lines)
    return _request(words, method, headers, first, rest, lines)


def _without_leading_crlfs(data: bytes) -> bytes:
    start = 0
    while data.startswith(b"\r\n", start):
        start += 2
    return data[start:]


def _request(
    words: list[bytes],
    known: bytes | None,
    headers: Headers,
    first: dict[bytes, bytes],
    body: bytes,
    lines: list[bytes],
) -> Request:
    if len(words) != 3:
        raise bad(b"Bad Request Line")
    method, uri, version = words
    if known is not None:
        method = known
    elif not method or method.translate(TOKEN) != method:
        raise bad(b"Bad Method")
    if version != b"SIP/2.0":
        _check_version(version)
    try:
        via = first[VIA]
        from_ = first[FROM]
        to = first[TO]
        call_id = first[CALL_ID]
        cseq = first[CSEQ]
    except KeyError as missing:
        raise bad(b"Missing " + missing.args[0]) from None
    number, cseq_method = read_cseq(cseq)
    if cseq_method != method:
        if known is None:
            raise RemoteProtocolError(501, b"Method Not Known")
        raise bad(b"CSeq Method Differs")
    hops = first.get(MAX_FORWARDS)
    max_forwards = -1
    if hops is not None:
        max_forwards = read_number(hops, MAX_FORWARDS)
        if max_forwards > MAX_HOPS:
            raise bad(b"Bad Max-Forwards")
    check_call_id(call_id)
    request = Request(
        method,
        uri,
        parse_uri(uri),
        headers,
        body,
        parse_via(via),
        read_party(from_),
        read_party(to),
        call_id,
        number,
        max_forwards,
        lines,
    )
    if len(request.from_.tag) > MAX_TAG or len(request.to.tag) > MAX_TAG:
        raise bad(b"Tag Too Long")
    if request.target.headers:  # RFC 3261 §19.1.1, RFC 4475 §3.1.2.11: they would become headers of ours
        raise bad(b"Headers in Request-URI")
    contact = first.get(CONTACT)
    if contact is not None:
        check_contacts(contact, headers)
    return request


def _response(
    start_line: bytes, headers: Headers, first: dict[bytes, bytes], body: bytes, lines: list[bytes]
) -> Response:
    version, _, rest = start_line.partition(b" ")
    if version != b"SIP/2.0":
        _check_version(version)
    code, _, reason = rest.partition(b" ")
    if len(code) != 3 or not code.isdigit() or not b"100" <= code <= b"699":
        raise bad(b"Bad Status Code")
    if not (reason.isascii() or is_text(reason)):  # it is for people, and may be empty
        reason = b""
    try:
        via = first[VIA]
        from_ = first[FROM]
        to = first[TO]
        call_id = first[CALL_ID]
        cseq = first[CSEQ]
    except KeyError as missing:
        raise bad(b"Missing " + missing.args[0]) from None
    number, method = read_cseq(cseq)
    check_call_id(call_id)
    response = Response(
        int(code),
        reason,
        headers,
        body,
        parse_via(via),
        read_party(from_),
        read_party(to),
        call_id,
        number,
        method,
        lines,
    )
    if len(response.from_.tag) > MAX_TAG or len(response.to.tag) > MAX_TAG:
        raise bad(b"Tag Too Long")
    contact = first.get(CONTACT)
    if contact is not None:
        check_contacts(contact, headers)
    return response


def _check_version(version: bytes) -> None:
    """RFC 3261 §7.1: in any case; RFC 4475 §3.1.2.16: another version is 505."""
    if version.upper() == b"SIP/2.0":
        return
    name, _, numbers = version.partition(b"/")
    major, dot, minor = numbers.partition(b".")
    if name.upper() == b"SIP" and dot and major.isdigit() and minor.isdigit():
        raise RemoteProtocolError(505, b"Version Not Supported")
    raise bad(b"Bad Request Line")
