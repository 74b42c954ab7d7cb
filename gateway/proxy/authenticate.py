"""Who sent a request, by digest (RFC 3261 §22.3, RFC 8760): for trunks without a fixed address.

`authenticate` says one of four things, and the proxy answers 407 with `challenges` to all but the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from gateway.proxy.nonces import Nonces
from gateway.sip.digest import ALGORITHMS, Credentials, challenge, is_for, is_right, parse_credentials
from gateway.sip.errors import RemoteProtocolError
from gateway.sip.message import Headers, Request

MAX_CREDENTIALS_HEADERS: Final = 8
"""Values looked at in one request: one per proxy on the way, and per algorithm."""

_NOBODY: Final = dict.fromkeys(ALGORITHMS, b"0" * 64)
"""Compared with where there is no such user, so that the time of the answer does not tell."""


class Account(NamedTuple):
    """What a trunk logs in with."""

    trunk: str
    secrets: Mapping[bytes, bytes]
    """H(A1) by algorithm (`digest.secret_of`). The algorithms in it are those that are allowed for this trunk: MD5 is
    in it only where it was enabled."""


class Authenticated(NamedTuple):
    """The result: `trunk` when the request is proven, else why not."""

    trunk: str = ""
    reason: str = ""
    """`missing`, `malformed`, `wrong`, `stale`, `replayed`: a fixed set. `wrong` comes from the very source that the
    nonce was made for: nobody can bring it about in another's name."""
    stale: bool = False
    """The next challenge says that only the nonce was too old."""


def authenticate(
    request: Request, realm: bytes, accounts: Mapping[bytes, Account], nonces: Nonces, source: bytes, now: float
) -> Authenticated:
    """Check the Proxy-Authorization of a request. `accounts` by user name; `source` and `now` (epoch seconds) as in
    `Nonces.make`. Never raises. ACK and CANCEL cannot be challenged (§22.1): do not ask for them."""
    found, reason = _credentials(request, realm)
    if found is None:
        return Authenticated(reason=reason)
    if not nonces.is_live(found.nonce, now, source, realm):
        # Nothing else is looked at: who asks with a nonce of his own would learn whether his guess is right.
        return Authenticated(reason="stale", stale=True)
    account = accounts.get(found.username)
    secrets = _NOBODY if account is None else account.secrets
    secret = secrets.get(found.algorithm)
    if secret is None or found.qop != b"auth" or not found.cnonce:
        return Authenticated(reason="wrong")
    right = is_right(secret, found, request.method)
    if account is None or not right or not is_for(found, request.uri):
        return Authenticated(reason="wrong")
    if not nonces.use(found.nonce, found.nc, now):
        # With a new nonce a client that never counts comes through; one that only repeats cannot answer it.
        return Authenticated(reason="replayed", stale=True)
    return Authenticated(account.trunk)


def challenges(realm: bytes, nonce: bytes, algorithms: Sequence[bytes], stale: bool) -> Headers:
    """The headers of a 407: one for each algorithm, the best first (RFC 8760 §2.4)."""
    return [(b"Proxy-Authenticate", challenge(algorithm, realm, nonce, stale)) for algorithm in algorithms]


def without_credentials(headers: Headers, realm: bytes) -> Headers:
    """The headers as they leave: what was meant for us goes no further (RFC 3261 §22.3). So does what cannot be read,
    for we cannot tell whom it is for."""
    kept: Headers = []
    for name, value in headers:
        if name == b"Proxy-Authorization":
            try:
                if parse_credentials(value).realm == realm:
                    continue
            except RemoteProtocolError:
                continue
        kept.append((name, value))
    return kept


def _credentials(request: Request, realm: bytes) -> tuple[Credentials | None, str]:
    """The one value for our realm; two of them are as good as none."""
    found: list[Credentials] = []
    values = request.get_all(b"Proxy-Authorization")
    for value in values[:MAX_CREDENTIALS_HEADERS]:
        try:
            credentials = parse_credentials(value)
        except RemoteProtocolError:
            return None, "malformed"
        if credentials.realm == realm:
            found.append(credentials)
    if len(found) > 1 or len(values) > MAX_CREDENTIALS_HEADERS:
        return None, "malformed"
    return (found[0], "") if found else (None, "missing")
