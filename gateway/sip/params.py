"""Parameters after a `;`: generic-param = token [ EQUAL gen-value ] (RFC 3261 §25.1), white space allowed
around both signs."""

from __future__ import annotations

from gateway.sip.chars import ANGLE, EQUAL, GEN_VALUE, PLAIN_PARAMS, QUOTE, TOKEN
from gateway.sip.errors import bad
from gateway.sip.limits import MAX_ELEMENTS, MAX_ESCAPED_QUOTES, MAX_PARAMS


def quoted_end(value: bytes, start: int) -> int:
    """The index after the closing quote of the quoted-string that opens at `start`; -1 if it never closes, or holds
    more than `MAX_ESCAPED_QUOTES`.

    quoted-string = DQUOTE *(qdtext / quoted-pair) DQUOTE; a backslash takes the next octet with it.
    """
    position = start + 1
    for _ in range(MAX_ESCAPED_QUOTES):
        quote = value.find(b'"', position)
        if quote < 0:
            return -1
        text = value[position:quote]
        if (len(text) - len(text.rstrip(b"\\"))) % 2 == 0:  # no backslash, or each has one before it
            return quote + 1
        position = quote + 1
    return -1


def split_quoted(value: bytes, separator: bytes, limit: int) -> list[bytes]:
    """The parts between separators that stand outside quoted-strings and `<>`, each without outer white
    space.

    Raises RemoteProtocolError (400) for a quote or bracket that never closes, and for more parts than
    `limit`.
    """
    if QUOTE not in value and ANGLE not in value:
        if value.count(separator) >= limit:
            raise bad(b"Too Many List Elements")
        return [part.strip(b" \t") for part in value.split(separator)]
    parts: list[bytes] = []
    start = 0
    position = 0
    # Where the next of each stands; searched anew only when passed by, so that the whole is linear.
    quote = value.find(b'"')
    angle = value.find(b"<")
    mark = value.find(separator)
    while True:
        if quote >= 0 and (mark < 0 or quote < mark) and (angle < 0 or quote < angle):
            position = quoted_end(value, quote)
            if position < 0:
                raise bad(b"Unterminated Quoted String")
        elif angle >= 0 and (mark < 0 or angle < mark):
            position = value.find(b">", angle) + 1
            if position <= 0:
                raise bad(b"Unterminated Angle Bracket")
        elif mark >= 0:
            parts.append(value[start:mark].strip(b" \t"))
            start = position = mark + 1
            if len(parts) >= limit:
                raise bad(b"Too Many List Elements")
        else:
            parts.append(value[start:].strip(b" \t"))
            return parts
        if 0 <= quote < position:
            quote = value.find(b'"', position)
        if 0 <= angle < position:
            angle = value.find(b"<", position)
        if 0 <= mark < position:
            mark = value.find(separator, position)


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
            if not name or EQUAL in value or (equal and not value):
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
