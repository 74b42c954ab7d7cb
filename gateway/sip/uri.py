"""SIP, SIPS and tel URIs (RFC 3261 §19.1, RFC 3966).

`parse_uri` cuts a URI into raw parts and lets nothing through that the ABNF does not: one `@` at most, every
`%` followed by two hex digits, IPv6 in brackets. Parts stay escaped; `unescape` decodes once. `canonical_uri`
gives equivalent URIs one form, so that "the same URI" can be a comparison of bytes.
"""

from __future__ import annotations

from typing import Final, final

from gateway.sip.chars import (
    EQUAL,
    GLOBAL_NUMBER,
    HEXDIG,
    HOST,
    IPV6,
    LOCAL_NUMBER,
    PASSWORD,
    PERCENT,
    SCHEME,
    TEL_SEPARATORS,
    UNRESERVED_OCTETS,
    URI,
    URI_HEADERS,
    URI_PARAMS,
    USER,
)
from gateway.sip.errors import RemoteProtocolError, bad
from gateway.sip.limits import MAX_MEMO, MAX_MEMO_KEY, MAX_PARAMS
from gateway.sip.memo import new_memo, remember
from gateway.sip.value import Value

_SIGNIFICANT: Final = (b"maddr", b"method", b"transport", b"ttl", b"user")


@final
class Uri(Value):
    """A URI cut into its raw parts."""

    __slots__ = ("headers", "host", "params", "password", "port", "scheme", "user")

    def __init__(
        self,
        scheme: bytes,
        user: bytes | None,
        password: bytes | None,
        host: bytes,
        port: int,
        params: bytes,
        headers: bytes,
    ) -> None:
        self.scheme = scheme
        """Lower case: `sip`, `sips` or `tel`."""
        self.user = user
        """Still escaped; for tel the number part with its separators; None for none."""
        self.password = password
        self.host = host
        """Lower case, IPv6 in brackets; b"" for tel."""
        self.port = port
        """0 for none."""
        self.params = params
        """Without the leading `;`."""
        self.headers = headers
        """What follows the `?`."""

    def _held(self) -> tuple[object, ...]:
        return self.scheme, self.user, self.password, self.host, self.port, self.params, self.headers

    def param(self, name: bytes) -> bytes | None:
        """A URI parameter's value (b"" for none given), still escaped, or None; names in any case."""
        if not self.params:
            return None
        wanted = name.lower()
        for part in self.params.split(b";"):
            key, _, value = part.partition(b"=")
            if unescape(key).lower() == wanted:
                return value
        return None

    def has_param(self, name: bytes) -> bool:
        """Is there such a URI parameter?"""
        return self.param(name) is not None


_uris: Final[dict[bytes, Uri]] = new_memo()


def read_uri(raw: bytes) -> Uri:
    """`parse_uri`, remembered: a Contact comes back as the Request-URI of ACK and BYE. Nobody may change the result."""
    known = _uris.get(raw)
    if known is None:
        known = parse_uri(raw)
        if len(raw) <= MAX_MEMO_KEY:
            remember(_uris, MAX_MEMO, raw, known)
    return known


def parse_uri(raw: bytes) -> Uri:
    """Cut and check a URI.

    Raises RemoteProtocolError: 400 for what no ABNF allows, 416 for a scheme that is none of sip, sips, tel.
    """
    scheme, colon, rest = raw.partition(b":")
    if scheme != b"sip":
        scheme = scheme.lower()
        if scheme == b"tel":
            return _parse_tel(rest)
        if scheme not in (b"sip", b"sips"):
            if not colon or not rest or not scheme[:1].isalpha():
                raise bad(b"Bad URI")
            if scheme.translate(SCHEME) != scheme or rest.translate(URI) != rest:
                raise bad(b"Bad URI")
            raise RemoteProtocolError(416, b"Unsupported URI Scheme")
    user: bytes | None
    user, at, tail = rest.partition(b"@")
    password: bytes | None = None
    if at:
        if user.translate(USER) != user:
            name, colon, password = user.partition(b":")
            if not colon or name.translate(USER) != name or password.translate(PASSWORD) != password:
                raise bad(b"Bad URI User")
            user = name
        if not user:
            raise bad(b"Bad URI User")
    else:
        tail = rest
        user = None
    if PERCENT in rest:
        _check_escapes(rest)
    tail, question, headers = tail.partition(b"?")
    if question and (not headers or headers.translate(URI_HEADERS) != headers):
        raise bad(b"Bad URI Headers")
    hostport, semicolon, params = tail.partition(b";")
    if semicolon and params != b"user=phone":
        _check_params(params)
    host, port = _host_ports.get(hostport) or parse_host_port(hostport)
    return Uri(scheme, user, password, host, port, params, headers)


_host_ports: Final[dict[bytes, tuple[bytes, int]]] = new_memo()


def parse_host_port(raw: bytes) -> tuple[bytes, int]:
    """`host [ ":" port ]` to lower-case host and port (0 for none). Raises RemoteProtocolError (400)."""
    known = _host_ports.get(raw)
    if known is not None:
        return known
    read = _read_host_port(raw)
    remember(_host_ports, MAX_MEMO, raw, read)
    return read


def _read_host_port(raw: bytes) -> tuple[bytes, int]:
    if raw[:1] == b"[":
        host, close, rest = raw.partition(b"]")
        if not close or len(host) < 3 or len(host) > 46 or host[1:].translate(IPV6) != host[1:]:
            raise bad(b"Bad Host")
        host = host.lower() + b"]"
        if not rest:
            return host, 0
        if rest[0] != 0x3A:
            raise bad(b"Bad Host")
        digits = rest[1:]
    else:
        host, colon, digits = raw.partition(b":")
        # No label is empty or begins with a hyphen (RFC 3261 §25.1); Kamailio reads no user in front of such a host.
        if not host[:1].isalnum() or len(host) > 255 or host.translate(HOST) != host or b".." in host:
            raise bad(b"Bad Host")
        host = host.lower()
        if not colon:
            return host, 0
    if not digits.isdigit() or len(digits) > 5:
        raise bad(b"Bad Port")
    port = int(digits)
    if port > 65_535 or port == 0:
        raise bad(b"Bad Port")
    return host, port


def _check_params(params: bytes) -> None:
    parts = params.split(b";")
    if len(parts) > MAX_PARAMS or params.translate(URI_PARAMS) != params:
        raise bad(b"Bad URI Parameters")
    seen: set[bytes] = set()
    for part in parts:
        name, _, value = part.partition(b"=")
        if not name or EQUAL in value:
            raise bad(b"Bad URI Parameters")
        key = unescape(name).lower()
        if key in seen:  # RFC 3261 §19.1.1: any given parameter-name MUST NOT appear more than once
            raise bad(b"Second URI Parameter")
        seen.add(key)


def _check_escapes(raw: bytes) -> None:
    for piece in raw.split(b"%")[1:]:
        if len(piece) < 2 or piece[:2].translate(HEXDIG) != piece[:2]:
            raise bad(b"Bad Escape")


def _parse_tel(rest: bytes) -> Uri:
    """RFC 3966 §3: global-number-digits after `+`, else local-number-digits; parameters after `;`."""
    number, semicolon, params = rest.partition(b";")
    if number[:1] == b"+":
        allowed, digits = GLOBAL_NUMBER, number[1:]
    else:
        allowed, digits = LOCAL_NUMBER, number
    if digits.translate(allowed) != digits or not digits.translate(None, TEL_SEPARATORS):
        raise bad(b"Bad Telephone Number")
    if semicolon:
        if PERCENT in params:
            _check_escapes(params)
        _check_params(params)
    return Uri(b"tel", number, None, b"", 0, params, b"")


def unescape(raw: bytes) -> bytes:
    """Decode every %HH, once and only once; a `%` without two hex digits stays as it is."""
    if PERCENT not in raw:
        return raw
    pieces = raw.split(b"%")
    out = [pieces[0]]
    for piece in pieces[1:]:
        pair = piece[:2]
        if len(pair) == 2 and pair.translate(HEXDIG) == pair:
            out.append(bytes.fromhex(pair.decode("ascii")))
            out.append(piece[2:])
        else:
            out.append(b"%")
            out.append(piece)
    return b"".join(out)


def _normal(raw: bytes) -> bytes:
    """Escapes in one form: unreserved octets plain, others %HH in upper case (RFC 3261 §19.1.4, fourth
    rule)."""
    if PERCENT not in raw:
        return raw
    pieces = raw.split(b"%")
    out = [pieces[0]]
    for piece in pieces[1:]:
        pair = piece[:2]
        if len(pair) == 2 and pair.translate(HEXDIG) == pair:
            octet = bytes.fromhex(pair.decode("ascii"))
            out.append(octet if octet in UNRESERVED_OCTETS else b"%" + pair.upper())
            out.append(piece[2:])
        else:
            out.append(b"%25" + piece)
    return b"".join(out)


def canonical_uri(uri: Uri) -> bytes:
    """One form for all equivalent URIs.

    RFC 3261 §19.1.4: user and password by case, the rest without; escapes of unreserved octets decoded;
    parameters in any order; a parameter other than user, ttl, method, maddr and transport that stands in one
    URI only is ignored, so none of those is in the form; header components count. RFC 3966 §4: separators do
    not count, every parameter does.
    """
    if uri.scheme == b"tel":
        return _canonical_tel(uri)
    out = [uri.scheme, b":"]
    if uri.user is not None:
        out.append(_normal(uri.user))
        if uri.password is not None:
            out.append(b":" + _normal(uri.password))
        out.append(b"@")
    out.append(uri.host.lower())
    if uri.port:
        out.append(b":%d" % uri.port)
    if uri.params:
        kept = []
        for part in uri.params.split(b";"):
            name, _, value = part.partition(b"=")
            key = _normal(name).lower()
            if key in _SIGNIFICANT:
                kept.append(b";" + key + b"=" + _normal(value).lower())
        out.extend(sorted(kept))
    if uri.headers:
        parts = []
        for part in uri.headers.split(b"&"):
            name, _, value = part.partition(b"=")
            parts.append(_normal(name).lower() + b"=" + _normal(value))
        out.append(b"?" + b"&".join(sorted(parts)))
    return b"".join(out)


def _canonical_tel(uri: Uri) -> bytes:
    number = (uri.user or b"").translate(None, TEL_SEPARATORS).upper()
    kept = []
    if uri.params:
        for part in uri.params.split(b";"):
            name, equal, value = part.partition(b"=")
            value = _normal(value).lower()
            if value[:1] == b"+" or name.lower() == b"ext":
                value = value.translate(None, TEL_SEPARATORS)
            kept.append(b";" + _normal(name).lower() + equal + value)
    return b"tel:" + number + b"".join(sorted(kept))
