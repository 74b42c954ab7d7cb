"""The fast road: a message all of whose header lines are of everyday form, most of them read before.

Theory of operation
===================

What a line says depends on nothing but its octets, and most lines come again: From, To and Call-ID in every message of
a call, the Vias in each response, User-Agent, Allow or `Max-Forwards: 70` in every call. So lines are read one by one,
and what each says is remembered by the line itself: a `Line`, with its (name, value) pair and, for the headers the
proxy looks at, the parsed value. One look-up of a line that was seen replaces the search for its colon, the check for
control characters, the look-up of its name and the parsing of its value; one dict serves all kinds.

A `Line` is made only of a line that needs no other line to be understood: no fold, clean ASCII, a name that is a
token, one value that its grammar takes, and no comma where a list may stand. A message is taken when all its lines are
such, none of the headers that may stand once stands twice, the mandatory ones are there, the start-line is canonical
and Content-Length is true. Anything else, and anything that is wrong, is left to `parser.parse_slowly`, which alone
raises and words refusals. Both give equal messages: a test holds them against each other.

The memory is bounded: two halves of `MAX_REMEMBERED_LINES`, of which the older is dropped when the younger is full;
what was used since is in the younger one. Long lines are read each time.
"""

from __future__ import annotations

from typing import Any, Final, final

from gateway.sip.chars import ASCII_TEXT, COMMA
from gateway.sip.errors import RemoteProtocolError
from gateway.sip.fields import KNOWN_METHODS, check_call_id, check_contacts, read_cseq, read_number
from gateway.sip.limits import (
    MAX_HEADERS,
    MAX_HOPS,
    MAX_LINE,
    MAX_MEMO,
    MAX_MEMO_KEY,
    MAX_MESSAGE,
    MAX_REMEMBERED_LINES,
    MAX_TAG,
    MAX_VIAS,
)
from gateway.sip.memo import new_memo, remember
from gateway.sip.message import Request, Response
from gateway.sip.nameaddr import NameAddr, parse_name_addr
from gateway.sip.names import (
    CALL_ID,
    CONTACT,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    CSEQ,
    FOLDED,
    FROM,
    MAX_FORWARDS,
    RECORD_ROUTE,
    ROUTE,
    SPELLINGS,
    TO,
    VIA,
    resolve_name,
)
from gateway.sip.uri import read_uri
from gateway.sip.via import Via, parse_via

# What a line is to the proxy: bits, so that one integer holds what a message has.
_PLAIN: Final = 0
_VIA: Final = 1
_FROM: Final = 2
_TO: Final = 4
_CALL_ID: Final = 8
_CSEQ: Final = 16
_MAX_FORWARDS: Final = 32
_CONTENT_LENGTH: Final = 64
_CONTENT_TYPE: Final = 128
_CONTACT: Final = 256
_MANDATORY: Final = _VIA | _FROM | _TO | _CALL_ID | _CSEQ

_KINDS: Final[dict[bytes, int]] = {
    VIA: _VIA,
    FROM: _FROM,
    TO: _TO,
    CALL_ID: _CALL_ID,
    CSEQ: _CSEQ,
    MAX_FORWARDS: _MAX_FORWARDS,
    CONTENT_LENGTH: _CONTENT_LENGTH,
    CONTENT_TYPE: _CONTENT_TYPE,
    CONTACT: _CONTACT,
}
_NO_VIA: Final = Via(b"", b"", 0, b"", b"", b"", None)
_NOBODY: Final = NameAddr(b"", b"", b"", b"")


_SPACE: Final = 0x20


@final
class Line:
    """What one header line says. Shared by the messages that have it: nobody changes it."""

    __slots__ = ("header", "kind", "number", "party", "value", "verbatim", "via", "word")

    def __init__(self, name: bytes, value: bytes, verbatim: bool) -> None:
        self.header: Any = (name, value)
        """The pair of `message.Headers`; Any, so that compiled code hands the same tuple on."""
        self.value = value
        self.verbatim = verbatim
        """The line is `name: value` to the octet."""
        self.kind = _KINDS.get(name, _PLAIN)
        self.number = -1
        """Of CSeq, Max-Forwards or Content-Length."""
        self.word = value
        """The method of a CSeq."""
        self.via = _NO_VIA
        self.party = _NOBODY
        """Of From or To."""


@final
class _Remembered:
    """The lines seen last."""

    __slots__ = ("old", "young")

    def __init__(self) -> None:
        self.young: dict[bytes, Line] = new_memo()
        self.old: dict[bytes, Line] = new_memo()

    def line(self, line: bytes) -> Line | None:
        """A line that is not in the younger half; None where the slow road must be taken."""
        known = self.old.get(line)
        if known is None:
            known = _read_line(line)
            if known is None:
                return None
        self.keep(line, known)
        return known

    def keep(self, line: bytes, read: Line) -> None:
        """Put a line into the younger half."""
        if len(line) <= MAX_MEMO_KEY:
            if len(self.young) >= MAX_REMEMBERED_LINES:
                self.old.clear()
                self.old, self.young = self.young, self.old
            self.young[line] = read


_remembered: Final = _Remembered()
_statuses: Final[dict[bytes, tuple[int, bytes]]] = new_memo()
"""Status lines, and what they say."""


def foresee_via(value: bytes, via: Via) -> None:
    """A Via that we write comes back with each response: its line need not be read then. `via`: what `value` says."""
    if COMMA not in value:
        read = Line(VIA, value, True)
        read.via = via
        _remembered.keep(b"Via: " + value, read)


def read_everyday(data: bytes) -> Request | Response | None:
    """The message, or None where the slow road must be taken."""
    head, end, body = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    if not end or len(lines) > MAX_HEADERS + 1 or len(data) > MAX_MESSAGE:
        return None
    start_line = lines.pop(0)
    remembered = _remembered
    young = remembered.young
    headers: list[Any] = []
    has = 0
    vias = 0
    length_at = size = max_forwards = -1
    verbatim = True
    via = _NO_VIA
    from_ = to = _NOBODY
    call_id = b""
    cseq: Line | None = None
    for line in lines:
        known = young.get(line)
        if known is None:
            known = remembered.line(line)
            if known is None:
                return None
            young = remembered.young
        if not known.verbatim:
            verbatim = False
        kind = known.kind
        if kind:
            if kind == _VIA:
                if not vias:
                    via = known.via
                vias += 1
            elif has & kind:
                return None
            elif kind == _FROM:
                from_ = known.party
            elif kind == _TO:
                to = known.party
            elif kind == _CALL_ID:
                call_id = known.value
            elif kind == _CSEQ:
                cseq = known
            elif kind == _MAX_FORWARDS:
                max_forwards = known.number
            elif kind == _CONTENT_LENGTH:  # `headers` do without it
                size = known.number
                length_at = len(headers)
                has |= kind
                continue
            has |= kind
        headers.append(known.header)
    if has & _MANDATORY != _MANDATORY or vias > MAX_VIAS or cseq is None:
        return None
    if length_at >= 0:
        if size != len(body):
            if size > len(body):
                return None
            body = body[:size]
        if length_at == len(headers):
            lines.pop()
        else:
            del lines[length_at]
    if not verbatim:
        lines = []
    if start_line.startswith(b"SIP/2.0 "):
        status = _statuses.get(start_line) or _read_status(start_line)
        if status is None:
            return None
        code, reason = status
        return Response(code, reason, headers, body, via, from_, to, call_id, cseq.number, cseq.word, lines)
    words = start_line.split(b" ", 3)
    method = KNOWN_METHODS.get(words[0])
    if method is None or len(words) != 3 or words[2] != b"SIP/2.0" or cseq.word != method:
        return None
    uri = words[1]
    try:
        target = read_uri(uri)
    except RemoteProtocolError:
        return None
    if target.headers:
        return None
    return Request(method, uri, target, headers, body, via, from_, to, call_id, cseq.number, max_forwards, lines)


def _read_status(line: bytes) -> tuple[int, bytes] | None:
    """Status-Line in its canonical form, which begins with `SIP/2.0 `: code and reason phrase."""
    code, blank, reason = line[8:].partition(b" ")
    if len(code) != 3 or not code.isdigit() or not b"100" <= code <= b"699":
        return None
    if not blank or line.translate(ASCII_TEXT) != line or len(line) > MAX_LINE:
        return None
    read = (int(code), reason)
    if len(line) <= MAX_MEMO_KEY:
        remember(_statuses, MAX_MEMO, line, read)
    return read


def _read_line(line: bytes) -> Line | None:
    """One header line that stands for itself; None where there may be more to it."""
    if len(line) > MAX_LINE or line.translate(ASCII_TEXT) != line:
        return None
    raw, _, value = line.partition(b": ")
    name = SPELLINGS.get(raw)
    verbatim = raw == name
    try:
        if name is None or not value or value[0] <= _SPACE or value[-1] <= _SPACE:
            raw, _, value = line.partition(b":")
            value = value.strip()
            name = SPELLINGS.get(raw) or resolve_name(raw)
            if not value or name == FOLDED:
                return None
            verbatim = line == b"%b: %b" % (name, value)
        read = Line(name, value, verbatim)
        return read if _read_value(read, name, value) else None
    except RemoteProtocolError:
        return None


def _read_value(read: Line, name: bytes, value: bytes) -> bool:
    """Read what the proxy looks at; False for several values in one line."""
    kind = read.kind
    if kind == _PLAIN:
        return COMMA not in value or (name != ROUTE and name != RECORD_ROUTE)
    if kind == _VIA:
        if COMMA in value:
            return False
        read.via = parse_via(value)
    elif kind & (_FROM | _TO):
        read.party = parse_name_addr(value)
        return len(read.party.tag) <= MAX_TAG
    elif kind == _CALL_ID:
        check_call_id(value)
    elif kind == _CSEQ:
        read.number, read.word = read_cseq(value)
    elif kind == _MAX_FORWARDS:
        read.number = read_number(value, name)
        return read.number <= MAX_HOPS
    elif kind == _CONTENT_LENGTH:
        read.number = read_number(value, name)
    elif kind == _CONTACT:
        check_contacts(value, [(name, value)])
    return True
