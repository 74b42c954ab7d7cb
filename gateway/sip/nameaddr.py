"""name-addr and addr-spec with header parameters: From, To, Contact, Route, identity headers (RFC 3261
§20.10, §20.20).

Without `<>` every parameter belongs to the header, and the URI may hold neither comma, question mark nor
semicolon (RFC 3261 §20). The URI itself stays raw here: `uri.parse_uri` reads it.
"""

from __future__ import annotations

from typing import Final, final

from gateway.sip.chars import BACKSLASH, COLON, COMMA, DISPLAY, QUESTION, SCHEME, TOKEN, URI
from gateway.sip.errors import bad
from gateway.sip.limits import MAX_MEMO, MAX_MEMO_KEY
from gateway.sip.memo import new_memo, remember
from gateway.sip.params import find_param, quoted_end, split_list, split_params
from gateway.sip.value import Value

__all__ = ["NameAddr", "display_text", "parse_name_addr", "split_list"]


@final
class NameAddr(Value):
    """One address with its display-name and header parameters."""

    __slots__ = ("display", "params", "tag", "uri")

    def __init__(self, display: bytes, uri: bytes, params: bytes, tag: bytes) -> None:
        self.display = display
        """display-name as received, quotes included; b"" for none."""
        self.uri = uri
        """The URI, raw, without `<>`."""
        self.params = params
        """Header parameters, raw, without the leading `;`."""
        self.tag = tag
        """The tag parameter; b"" for none."""

    def _held(self) -> tuple[object, ...]:
        return self.display, self.uri, self.params, self.tag

    def param(self, name: bytes) -> bytes | None:
        """A header parameter's value (b"" for none given), or None; names in any case."""
        return find_param(self.params, name)


def parse_name_addr(value: bytes) -> NameAddr:
    """One name-addr or addr-spec with its header parameters. Raises RemoteProtocolError (400)."""
    display = b""
    before, bracket, rest = value.partition(b"<")
    if bracket and before:
        if before[0] == 0x22:
            display = before.rstrip(b" \t")
            if before.count(b'"') != 2 or display[-1] != 0x22 or BACKSLASH in before:  # not a plain quoted-string
                display, rest = _quoted_display(value)
        elif COLON in before:  # addr-spec; the bracket stands in a quoted parameter
            bracket = b""
        else:
            display = before.strip(b" \t")
            if display.translate(DISPLAY) != display:
                raise bad(b"Bad Display Name")
    if bracket:
        uri, close, params = rest.partition(b">")
        if not close:
            raise bad(b"Unterminated Angle Bracket")
        if params:
            params = params.strip(b" \t")
            if params:
                if params[0] != 0x3B:
                    raise bad(b"Bad Address")
                params = params[1:].lstrip(b" \t")
                if not params:
                    raise bad(b"Bad Parameter")
    else:
        uri, semicolon, params = value.partition(b";")
        uri = uri.strip(b" \t")
        if QUESTION in uri or COMMA in uri:  # RFC 3261 §20: such a URI must stand in <>
            raise bad(b"Bad Address")
        if semicolon:
            params = params.strip(b" \t")
            if not params:
                raise bad(b"Bad Parameter")
    if uri.translate(URI) != uri:
        raise bad(b"Bad URI")
    if not uri.startswith(b"sip:"):
        scheme, colon, opaque = uri.partition(b":")
        if not colon or not opaque or not scheme[:1].isalpha() or scheme.translate(SCHEME) != scheme:
            raise bad(b"Bad URI")
    tag = b""
    if params:
        tag = params[4:]
        if not params.startswith(b"tag=") or not (tag.isalnum() or (tag and tag.translate(TOKEN) == tag)):
            tag = _tag(params)
    return NameAddr(display, uri, params, tag)


_parties: Final[dict[bytes, NameAddr]] = new_memo()


def read_party(value: bytes) -> NameAddr:
    """The same for From and To, remembered: all messages of a call bring the same two. Nobody may change the result."""
    known = _parties.get(value)
    if known is None:
        known = parse_name_addr(value)
        if len(value) <= MAX_MEMO_KEY:
            remember(_parties, MAX_MEMO, value, known)
    return known


def _quoted_display(value: bytes) -> tuple[bytes, bytes]:
    """A display-name that is a quoted-string of any shape, and what follows the `<` behind it."""
    end = quoted_end(value, 0)
    if end < 0:
        raise bad(b"Unterminated Quoted String")
    rest = value[end:].lstrip(b" \t")
    if rest[:1] != b"<":
        raise bad(b"Bad Display Name")
    return value[:end], rest[1:]


def _tag(params: bytes) -> bytes:
    """The tag among several parameters; all of them are checked on the way."""
    tag = b""
    for name, value in split_params(params):
        if name == b"tag":
            if tag:
                raise bad(b"Second Tag")
            if not value or value.translate(TOKEN) != value:
                raise bad(b"Bad Tag")
            tag = value
    return tag


def display_text(raw: bytes) -> bytes:
    """A display-name as a person reads it: quotes gone, each quoted-pair its second octet."""
    if raw[:1] != b'"':
        return raw
    text = raw[1:-1] if raw[-1:] == b'"' and len(raw) > 1 else raw[1:]
    if BACKSLASH not in text:
        return text
    out = bytearray()
    escaped = False
    for octet in text:
        if octet == 0x5C and not escaped:
            escaped = True
            continue
        out.append(octet)
        escaped = False
    return bytes(out)
