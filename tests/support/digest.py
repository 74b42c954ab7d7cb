"""How a phone answers a digest challenge (RFC 7616 §3.4, RFC 8760), on hashlib alone: nothing of the gateway's own, so
that each is held against the other."""

from __future__ import annotations

import hashlib
import re
import secrets

HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}
_FIELD = re.compile(r'(\w+)=(?:"([^"]*)"|([^",\s]+))')


def _h(algorithm: str, text: str) -> str:
    return hashlib.new(HASHES[algorithm], text.encode()).hexdigest()


def challenge_fields(value: bytes) -> dict[str, str]:
    """The parameters of one Proxy-Authenticate value."""
    scheme, _, rest = value.decode().partition(" ")
    assert scheme == "Digest"
    return {name: quoted or token for name, quoted, token in _FIELD.findall(rest)}


def pick(challenges: list[bytes], algorithm: str = "") -> dict[str, str]:
    """The challenge to answer: the first one, as RFC 8760 §2.4 asks, or that of an algorithm."""
    offered = [challenge_fields(value) for value in challenges]
    return next(one for one in offered if not algorithm or one["algorithm"] == algorithm)


def credentials(
    challenge: dict[str, str], user: str, password: str, uri: bytes, method: str = "INVITE", count: int = 1
) -> bytes:
    """A Proxy-Authorization value."""
    algorithm, nonce, realm = challenge["algorithm"], challenge["nonce"], challenge["realm"]
    cnonce = secrets.token_hex(8)
    ha1 = _h(algorithm, f"{user}:{realm}:{password}")
    ha2 = _h(algorithm, f"{method}:{uri.decode()}")
    response = _h(algorithm, f"{ha1}:{nonce}:{count:08x}:{cnonce}:auth:{ha2}")
    return (
        f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri.decode()}", response="{response}", '
        f'algorithm={algorithm}, cnonce="{cnonce}", qop=auth, nc={count:08x}'
    ).encode()
