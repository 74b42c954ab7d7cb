"""Message to bytes. Framing is ours: one CRLF per line, one Content-Length, last, and true."""

from __future__ import annotations

from typing import Final

from gateway.sip.errors import LocalProtocolError, RemoteProtocolError
from gateway.sip.message import Headers
from gateway.sip.nameaddr import parse_name_addr
from gateway.sip.names import CALL_ID, CONTENT_LENGTH, CSEQ, FROM, TO, VIA
from gateway.sip.via import parse_via

_LF: Final = 0x0A
_CR: Final = 0x0D
_DECIMALS: Final = [b"%d" % number for number in range(8_192)]
"""Status codes, lengths and most ports."""


def write_request(method: bytes, uri: bytes, headers: Headers, body: bytes) -> bytes:
    """A request as it goes on the wire. Raises LocalProtocolError if a line end hides in any of it."""
    return _write(b"%b %b SIP/2.0" % (method, uri), headers, body)


def write_response(status: int, reason: bytes, headers: Headers, body: bytes) -> bytes:
    """A response as it goes on the wire. Raises LocalProtocolError if a line end hides in any of it."""
    return _write(status_line(status, reason), headers, body)


def status_line(status: int, reason: bytes) -> bytes:
    """Status-Line (RFC 3261 §7.2)."""
    return b"SIP/2.0 %b %b" % (decimal(status), reason)


def _write(start_line: bytes, headers: Headers, body: bytes) -> bytes:
    lines = [start_line]
    for name, value in headers:
        if name != CONTENT_LENGTH:
            lines.append(b"%b: %b" % (name, value))
    checked(b"".join(lines))  # one look at all of them
    return write_lines(lines, body)


def checked(line: bytes) -> bytes:
    """The same line. Raises LocalProtocolError if a line end hides in it."""
    if _LF in line or _CR in line:
        raise LocalProtocolError("a start-line or header holds a line end")
    return line


def write_lines(lines: list[bytes], body: bytes) -> bytes:
    """A message as it goes on the wire, from start-line and header lines, none a Content-Length; the list is used up.
    Each line was read by the parser or is `checked`."""
    lines.append(b"Content-Length: " + decimal(len(body)))
    lines.append(b"")
    lines.append(body)
    return b"\r\n".join(lines)


def decimal(number: int) -> bytes:
    """A number in digits: formatting one costs as much as reading a line."""
    return _DECIMALS[number] if 0 <= number < len(_DECIMALS) else b"%d" % number


def error_response(error: RemoteProtocolError, received: bytes, rport: int, tag: bytes) -> bytes | None:
    """The answer to a request that `parse` refused, or None where there must be none.

    `received` and `rport` are the source address and port; `tag` becomes the To tag where the request had
    none. What could not be salvaged is left out (RFC 4475 §3.3.1: a 400 cannot copy what is not there). An
    ACK is never answered.
    """
    salvage = error.salvage
    if salvage is None or salvage.method == b"ACK" or not salvage.vias:
        return None
    headers: Headers = [(VIA, _stamped(salvage.vias[0], received, rport))]
    headers += [(VIA, value) for value in salvage.vias[1:]]
    if salvage.from_ is not None:
        headers.append((FROM, salvage.from_))
    if salvage.to is not None:
        headers.append((TO, _tagged(salvage.to, tag)))
    if salvage.call_id is not None:
        headers.append((CALL_ID, salvage.call_id))
    if salvage.cseq is not None:
        headers.append((CSEQ, salvage.cseq))
    return write_response(error.status, error.phrase, headers, b"")


def _stamped(via: bytes, received: bytes, rport: int) -> bytes:
    try:
        return parse_via(via).stamped(received, rport).to_bytes()
    except RemoteProtocolError:  # another version, or the bare magic cookie: clean, so the source is added
        return b"%b;received=%b" % (via, received)


def _tagged(to: bytes, tag: bytes) -> bytes:
    try:
        if parse_name_addr(to).tag:
            return to
    except RemoteProtocolError:  # copied as it came (RFC 3261 §8.2.6.2); we cannot tell where a tag would go
        return to
    return to + b";tag=" + tag
