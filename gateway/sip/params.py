"""Parameters after a `;`: generic-param = token [ EQUAL gen-value ] (RFC 3261 §25.1), white space allowed
around both signs."""

from __future__ import annotations

from gateway.sip.chars import GEN_VALUE, PLAIN_PARAMS, TOKEN
from gateway.sip.errors import bad
from gateway.sip.limits import MAX_ELEMENTS, MAX_PARAMS


def quoted_end(value: bytes, start: int) -> int:
    """The index after the closing quote of the quoted-string that opens at `start`; -1 if it never closes.

    quoted-string = DQUOTE *(qdtext / quoted-pair) DQUOTE; a backslash takes the next octet with it.
    """
    position = start + 1
    while True:
        quote = value.find(b'"', position)
        if quote < 0:
            return -1
        while position <= quote:
            slash = value.find(b"\\", position, quote)
            if slash < 0:
                return quote + 1
            position = slash + 2


def split_quoted(value: bytes, separator: bytes, limit: int) -> list[bytes]:
    """The parts between separators that stand outside quoted-strings and `<>`, each without outer white
    space.

    Raises RemoteProtocolError (400) for a quote or bracket that never closes, and for more parts than
    `limit`.
    """
    if b'"' not in value and b"<" not in value:
        if value.count(separator) >= limit:
            raise bad(b"Too Many List Elements")
        return [part.strip(b" \t") for part in value.split(separator)]
    parts: list[bytes] = []
    start = 0
    position = 0
    mark = separator[0]
    size = len(value)
    while position < size:
        octet = value[position]
        if octet == 0x22:
            position = quoted_end(value, position)
            if position < 0:
                raise bad(b"Unterminated Quoted String")
            continue
        if octet == 0x3C:
            position = value.find(b">", position)
            if position < 0:
                raise bad(b"Unterminated Angle Bracket")
        elif octet == mark:
            parts.append(value[start:position].strip(b" \t"))
            start = position + 1
            if len(parts) >= limit:
                raise bad(b"Too Many List Elements")
        position += 1
    parts.append(value[start:].strip(b" \t"))
    return parts


def split_list(value: bytes) -> list[bytes]:
    """The elements of a comma list: commas inside quoted-strings and `<>` do not count. Empty elements stay.

    Raises RemoteProtocolError (400).
    """
    return split_quoted(value, b",", MAX_ELEMENTS)


def split_params(raw: bytes) -> list[tuple[bytes, bytes | None]]:
    """`name[=value]` pairs in order: names in lower case, quoted values with their quotes, None where there
    is no `=`.

    Raises RemoteProtocolError (400) for anything generic-param does not allow, empty parameters included.
    """
    params: list[tuple[bytes, bytes | None]] = []
    if raw.translate(PLAIN_PARAMS) == raw and raw.count(b";") < MAX_PARAMS:
        for part in raw.split(b";"):
            name, equal, value = part.partition(b"=")
            if not name or b"=" in value or (equal and not value):
                raise bad(b"Bad Parameter")
            params.append((name.lower(), value if equal else None))
        return params
    for part in split_quoted(raw, b";", MAX_PARAMS):
        name, equal, value = part.partition(b"=")
        name = name.rstrip(b" \t")
        if not name or name.translate(TOKEN) != name:
            raise bad(b"Bad Parameter")
        if not equal:
            params.append((name.lower(), None))
            continue
        value = value.lstrip(b" \t")
        if value[:1] == b'"':
            if quoted_end(value, 0) != len(value):
                raise bad(b"Bad Parameter Value")
        elif not value or value.translate(GEN_VALUE) != value:
            raise bad(b"Bad Parameter Value")
        params.append((name.lower(), value))
    return params


def find_param(raw: bytes, name: bytes) -> bytes | None:
    """The value of the first parameter of that name, b"" if it has none; None where there is no such
    parameter."""
    if not raw:
        return None
    wanted = name.lower()
    for key, value in split_params(raw):
        if key == wanted:
            return value if value is not None else b""
    return None
