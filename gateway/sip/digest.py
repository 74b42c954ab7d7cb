"""Digest authentication (RFC 7616, RFC 3261 §22, RFC 8760): values of headers, and the hashes.

Only `qop=auth` is spoken: without it nothing counts requests, and an answer once heard could be used again. `-sess`
algorithms, `auth-int` and hashed user names are not offered, so an answer that uses one is wrong.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final

from gateway.sip.chars import HEXDIG
from gateway.sip.errors import LocalProtocolError, RemoteProtocolError, bad
from gateway.sip.params import quoted_end, split_list
from gateway.sip.uri import canonical_uri, parse_uri

SHA_256: Final = b"SHA-256"
SHA_512_256: Final = b"SHA-512-256"
MD5: Final = b"MD5"

ALGORITHMS: Final = {SHA_256: "sha256", SHA_512_256: "sha512_256", MD5: "md5"}
"""RFC 8760 §2.1, and their names in hashlib. MD5 is for trunks that know nothing better."""

MAX_CREDENTIALS: Final = 2_048
"""Octets of one Authorization value: real ones have 200 to 500."""

MAX_FIELDS: Final = 24
"""Parameters of one; RFC 7616 knows 13."""

_FIELDS: Final = frozenset(b"username realm nonce uri response algorithm cnonce opaque qop nc userhash".split())


@dataclass(slots=True)
class Credentials:
    """What an Authorization or Proxy-Authorization value says, quotes and their escapes undone."""

    username: bytes
    realm: bytes
    nonce: bytes
    uri: bytes
    response: bytes
    """Lower-case hex."""
    algorithm: bytes
    """As in `ALGORITHMS` if it is one of them; MD5 where none is given (RFC 7616 §3.4)."""
    qop: bytes
    nc: int
    """nonce-count; 0 where there is none."""
    cnonce: bytes


def hashed(algorithm: bytes, data: bytes) -> bytes:
    """H(data) in lower-case hex. `algorithm`: one of `ALGORITHMS`."""
    return hashlib.new(ALGORITHMS[algorithm], data, usedforsecurity=False).hexdigest().encode()


def secret_of(algorithm: bytes, username: bytes, realm: bytes, password: bytes) -> bytes:
    """H(A1) (RFC 7616 §3.4.2), which is kept instead of a password. It is worth as much in this realm: keep it so."""
    return hashed(algorithm, b"%b:%b:%b" % (username, realm, password))


def expected_response(secret: bytes, credentials: Credentials, method: bytes) -> bytes:
    """The response these credentials should carry (RFC 7616 §3.4.1, qop=auth). `secret`: of their algorithm. The
    algorithm must be one of `ALGORITHMS`."""
    a2 = hashed(credentials.algorithm, method + b":" + credentials.uri)
    parts = (secret, credentials.nonce, b"%08x" % credentials.nc, credentials.cnonce, credentials.qop, a2)
    return hashed(credentials.algorithm, b":".join(parts))


def is_right(secret: bytes, credentials: Credentials, method: bytes) -> bool:
    """True when the response is the one `secret` gives. Takes the same time for a right and a wrong one."""
    return compare_digest(expected_response(secret, credentials, method), credentials.response)


def is_for(credentials: Credentials, request_uri: bytes) -> bool:
    """True when the digest-uri is the Request-URI or one that is equivalent (RFC 3261 §22.4, rule 5; RFC 7616 §3.4.6):
    credentials made for one target must not serve for another."""
    if credentials.uri == request_uri:
        return True
    try:
        return canonical_uri(parse_uri(credentials.uri)) == canonical_uri(parse_uri(request_uri))
    except RemoteProtocolError:
        return False


def challenge(algorithm: bytes, realm: bytes, nonce: bytes, stale: bool = False) -> bytes:
    """A value of WWW-Authenticate or Proxy-Authenticate. RFC 8760 §2.4: one header for each algorithm, the best first.
    Raises LocalProtocolError for a realm that cannot stand in quotes."""
    if b'"' in realm or b"\\" in realm or not realm.isascii() or not realm.decode().isprintable():
        raise LocalProtocolError(f"realm {realm!r} cannot stand in quotes")
    tail = b", stale=true" if stale else b""
    return b'Digest realm="%b", nonce="%b", algorithm=%b, qop="auth"%b' % (realm, nonce, algorithm, tail)


def parse_credentials(value: bytes) -> Credentials:
    """An Authorization or Proxy-Authorization value (RFC 3261 §25.1, credentials). Raises RemoteProtocolError (400) for
    another scheme, a parameter given twice or missing, and any form that could be read in two ways."""
    if len(value) > MAX_CREDENTIALS:
        raise bad(b"Credentials Too Long")
    scheme, _, rest = value.partition(b" ")
    if scheme.lower() != b"digest":
        raise bad(b"Not Digest Credentials")
    elements = split_list(rest)
    if len(elements) > MAX_FIELDS:
        raise bad(b"Bad Credentials")
    fields: dict[bytes, bytes] = {}
    for element in elements:
        raw, equal, text = element.partition(b"=")
        name = raw.rstrip(b" \t").lower()
        if not equal or name in fields:
            raise bad(b"Bad Credentials")
        if name in _FIELDS:
            fields[name] = _unquoted(text.lstrip(b" \t"))
    try:
        username, realm, nonce = fields[b"username"], fields[b"realm"], fields[b"nonce"]
        uri, response = fields[b"uri"], fields[b"response"].lower()
    except KeyError:
        raise bad(b"Incomplete Credentials") from None
    if response.translate(HEXDIG) != response or fields.get(b"userhash", b"false").lower() != b"false":
        raise bad(b"Bad Credentials")
    algorithm = fields.get(b"algorithm", MD5)
    if algorithm.upper() in ALGORITHMS:
        algorithm = algorithm.upper()
    nc = fields.get(b"nc", b"00000000")
    if len(nc) != 8 or nc.translate(HEXDIG) != nc:
        raise bad(b"Bad Credentials")
    qop = fields.get(b"qop", b"").lower()
    return Credentials(username, realm, nonce, uri, response, algorithm, qop, int(nc, 16), fields.get(b"cnonce", b""))


def _unquoted(text: bytes) -> bytes:
    """A token, or the content of a quoted-string."""
    if text[:1] != b'"':
        if b'"' in text or not text or b" " in text or b"\t" in text:
            raise bad(b"Bad Credentials")
        return text
    if quoted_end(text, 0) != len(text):
        raise bad(b"Bad Credentials")
    inner = text[1:-1]
    if b"\\" not in inner:
        return inner
    out = bytearray()
    escaped = False
    for octet in inner:
        if octet == 0x5C and not escaped:
            escaped = True
        else:
            out.append(octet)
            escaped = False
    return bytes(out)
