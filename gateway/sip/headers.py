"""The header part of a message: octets to lines to headers.

Order of work for the everyday message: one split, one pass for control characters, one look-up per header name. Folds,
odd spellings, comma lists and repeated headers take the slower road below.
"""

from __future__ import annotations

from typing import Final

from gateway.sip.chars import COLON, COMMA, CONTROLS, TEXT, TEXT_OCTETS
from gateway.sip.errors import bad
from gateway.sip.limits import MAX_CONTROL_TEXT, MAX_HEADERS, MAX_LINE, MAX_VIAS
from gateway.sip.message import Headers
from gateway.sip.names import (
    CALL_ID,
    CANONICAL,
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
from gateway.sip.params import quoted_end, split_list
from gateway.sip.via import parse_via

_CRLFS: Final = tuple(b"\r\n" * count for count in range(MAX_HEADERS + 2))
_SINGLE: Final = 1
_LIST: Final = 2
_LISTS: Final = (VIA, ROUTE, RECORD_ROUTE)
_KINDS: Final[dict[bytes, int]] = {
    **dict.fromkeys((FROM, TO, CALL_ID, CSEQ, MAX_FORWARDS, CONTENT_LENGTH, CONTENT_TYPE), _SINGLE),
    **dict.fromkeys(_LISTS, _LIST),
}
_QUOTED_CONTROLS: Final = (FROM, TO, CONTACT)
_NAMED: Final = (FROM, TO, CONTACT)
"""Where a display-name may be text in another encoding than UTF-8."""
_SNARES: Final = b"<>\\"
_SEVERAL: Final = b", "
"""Stands for the first value where there are several: all of them are checked one by one."""
FREE_TEXT: Final = frozenset(b"Organization Reason Reason-Phrase Server Subject User-Agent Warning".split())
"""Registered headers that hold text for people; every other one has a grammar."""
_LINE_ENDS: Final = ("\u0085", "\u2028", "\u2029")


def read_head(head: bytes) -> tuple[bytes, Headers, dict[bytes, bytes], list[bytes]]:
    """The octets before the empty line to start-line, headers in order, the first value of each name, and the lines.

    Every Via, Route and Record-Route element is an entry of its own; headers that may stand once do. Lines: as many as
    headers, each `name: value` of its header to the octet, so that they may be written again as they are; none at all
    where one of them came in other framing. Raises RemoteProtocolError (400).
    """
    lines = head.split(b"\r\n")
    count = len(lines) - 1
    if count > MAX_HEADERS:
        raise bad(b"Too Many Headers")
    # What is left of a clean head are its line ends; a bare CR or LF changes the number, a control
    # character is left over.
    if head.translate(None, TEXT_OCTETS) != _CRLFS[count]:
        _check_line_ends(head)
        lines[1:] = unfold(lines[1:])
        _check_quoted_controls([line for line in lines if line.translate(TEXT) != line])
    if len(head) > MAX_LINE and max(map(len, lines)) > MAX_LINE:
        raise bad(b"Line Too Long")
    start_line = lines.pop(0)
    headers, first, lines = _read_headers(lines)
    if not head.isascii():
        _check_text(headers)
    return start_line, headers, first, lines


def _read_headers(lines: list[bytes]) -> tuple[Headers, dict[bytes, bytes], list[bytes]]:
    """Headers in order, the first value of each name, and the lines if they are the headers in our own framing;
    repeated names and comma lists are sorted out."""
    spelling = CANONICAL.get
    headers: Headers = []
    first: dict[bytes, bytes] = {}
    colons = True
    plain = True
    for line in lines:
        raw_name, colon, value = line.partition(b": ")
        name = spelling(raw_name)
        # `strip` gives the same object where there is nothing to strip.
        if name is None or not value or value.strip() is not value:
            raw_name, colon, value = line.partition(b":")
            name = SPELLINGS.get(raw_name)
            if name is None:
                name = resolve_name(raw_name)
            if not colon:
                colons = False
            value = value.strip()
            if plain and b"%b: %b" % (name, value) != line:
                plain = False
        first[name] = value
        headers.append((name, value))
    if not colons or FOLDED in first:
        unfolded = unfold(lines)
        if len(unfolded) == len(lines):
            raise bad(b"Header Without Colon")
        return _read_headers(unfolded)
    for name in _LISTS:
        value = first.get(name, b"-")
        if COMMA in value or not value:
            return (*_sort_out(headers), [])
    repeated = len(headers) - len(first)
    if repeated and not _several_vias(headers, first, repeated):
        headers, first = _sort_out(headers)
        if len(headers) != len(lines):
            plain = False
    return headers, first, lines if plain else []


def _several_vias(headers: Headers, first: dict[bytes, bytes], repeated: int) -> bool:
    """Responses have several Vias, mostly nothing else twice, and one per line: they are checked, and True returned.
    `repeated`: how many headers stand behind one of their name."""
    vias = [header[1] for header in headers if header[0] == VIA]
    if len(vias) != repeated + 1 or repeated >= MAX_VIAS:
        return False
    for value in vias:
        if COMMA in value or not value:
            return False
    first[VIA] = vias[0]
    for value in vias[1:]:  # the top one is read by the caller
        parse_via(value)
    return True


def _sort_out(headers: Headers) -> tuple[Headers, dict[bytes, bytes]]:
    """Refuse second copies, give every Via, Route and Record-Route element its own entry."""
    first: dict[bytes, bytes] = {}
    sorted_out: Headers = []
    kind_of = _KINDS.get
    vias = 0
    for header in headers:
        name, value = header
        kind = kind_of(name)
        if kind is None:
            if name == CONTACT and name in first:  # several are one list (RFC 3261 §7.3.1), all of which is checked
                value = _SEVERAL
            first[name] = value
            sorted_out.append(header)
        elif kind == _SINGLE:
            if name in first:  # RFC 4475 §3.3.8, §3.3.9: never "the first one wins"
                raise bad(b"Second " + name)
            first[name] = value
            sorted_out.append(header)
        else:
            for element in split_list(value) if COMMA in value else [value]:
                if not element:
                    raise bad(b"Empty Element in " + name)
                if name not in first:
                    first[name] = element
                elif name == VIA:  # the top one is read by the caller
                    parse_via(element)
                    vias += 1
                    if vias >= MAX_VIAS:
                        raise bad(b"Too Many Via")
                sorted_out.append((name, element))
    if len(sorted_out) > MAX_HEADERS:
        raise bad(b"Too Many Headers")
    return sorted_out, first


def is_text(value: bytes) -> bool:
    """UTF-8 (RFC 3261 §7.3.1) without the characters that end a line beside CR and LF: NEL, U+2028, U+2029.

    A reader that splits at them, or takes an octet 0x85 for NEL, would find headers in a value.
    """
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not any(end in text for end in _LINE_ENDS)


def _check_text(headers: Headers) -> None:
    """Refuse values of registered headers that are no text. Free text and headers nobody knows change nothing about
    the call: they are kept for the record, and do not leave (`gate.screen`).

    We depart from RFC 3261 §7.3.1, which has UTF-8 alone: exchanges in China write names in GBK (GB 18030), and a call
    is not to fail for the name beside its number. Such a name is kept for the record, and does not leave either.
    """
    for name, value in headers:
        if name not in CANONICAL or name in FREE_TEXT or value.isascii() or is_text(value):
            continue
        if name not in _NAMED or not all(_is_but_for_its_name(one) for one in split_list(value)):
            raise bad(b"Bad Text in " + name)


def _is_but_for_its_name(address: bytes) -> bool:
    """Is all but the quoted display-name of this address text? In GBK a backslash can be half of a letter, so that two
    readers may see the name end in two places: a name with one, or with a bracket, must be UTF-8."""
    if address[:1] != b'"':
        return is_text(address)
    name, quote, rest = address[1:].partition(b'"')
    if not quote or rest.lstrip(b" \t")[:1] != b"<" or not is_text(rest):
        return False
    if is_text(name):
        return True
    return not _reads_as(name, "utf-8") and _reads_as(name, "gb18030") and not any(octet in _SNARES for octet in name)


def _reads_as(text: bytes, encoding: str) -> bool:
    try:
        text.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def unfold(lines: list[bytes]) -> list[bytes]:
    """Join continuation lines to the line before with one SP (RFC 3261 §7.3.1). Raises RemoteProtocolError
    (400)."""
    joined: list[bytes] = []
    pending: list[bytes] = []
    for line in lines:
        if line[:1] in (b" ", b"\t"):
            if not pending or COLON not in pending[0]:  # a fold before the colon would split the name
                raise bad(b"Bad Fold")
            pending.append(line.strip(b" \t"))
            continue
        if pending:
            joined.append(b" ".join(pending) if len(pending) > 1 else pending[0])
        pending = [line]
    if pending:
        joined.append(b" ".join(pending) if len(pending) > 1 else pending[0])
    if max(map(len, joined), default=0) > MAX_LINE:
        raise bad(b"Line Too Long")
    return joined


def _check_line_ends(head: bytes) -> None:
    """Lines end in CRLF and nothing else."""
    pairs = head.count(b"\r\n")
    if head.count(b"\r") != pairs or head.count(b"\n") != pairs:
        raise bad(b"Bad Line End")


def _check_quoted_controls(lines: list[bytes]) -> None:
    """A control character may stand in a quoted-pair of a From, To or Contact display-name (RFC 4475
    §3.1.1.2), only there. `lines`: those that hold one."""
    if sum(map(len, lines)) > MAX_CONTROL_TEXT:
        raise bad(b"Control Character")
    for line in lines:
        _check_line(line)


def _check_line(line: bytes) -> None:
    name, _, value = line.partition(b":")
    name = name.rstrip(b" \t")
    if (SPELLINGS.get(name) or resolve_name(name)) not in _QUOTED_CONTROLS:
        raise bad(b"Control Character")
    position = 0
    while position < len(value):
        octet = value[position]
        if octet == 0x22:
            end = quoted_end(value, position)
            if end < 0:
                raise bad(b"Unterminated Quoted String")
            _check_pairs(value[position + 1 : end - 1])
            position = end
        elif octet in CONTROLS:
            raise bad(b"Control Character")
        else:
            position += 1


def _check_pairs(text: bytes) -> None:
    escaped = False
    for octet in text:
        if escaped:
            escaped = False
        elif octet == 0x5C:
            escaped = True
        elif octet in CONTROLS:
            raise bad(b"Control Character")
