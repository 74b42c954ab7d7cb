"""Request validation (RFC 3261 §16.3), after the parser has seen to syntax and scheme."""

from __future__ import annotations

from typing import Final

from gateway.proxy.ports import Refused
from gateway.sip.message import Request

ALLOW: Final = b"INVITE, ACK, CANCEL, OPTIONS, BYE, PRACK, UPDATE, INFO"
"""Methods this element passes: the first four out of a dialog, all of them inside one."""

METHODS: Final = frozenset(ALLOW.split(b", "))
"""The same, to look one up: methods are compared by case (RFC 3261 §7.1), so `invite` is another."""

MAX_REQUEST: Final = 16_384
"""Octets of a request. Real INVITEs have up to 4,000, with ISUP or a PASSporT 8,000; every call keeps its own, and
what leaves must still fit a datagram with what we add."""


def validate(request: Request) -> Refused | None:
    """The answer to a request that a proxy must not pass on, or None. Not for ACK, which is never answered."""
    # Step 3. An OPTIONS for us is answered whatever its Max-Forwards says (§11).
    if request.max_forwards == 0:
        return Refused(483, b"Too Many Hops", [])
    return unsupported(request)


def unsupported(request: Request) -> Refused | None:
    """The answer to a request that asks proxies for an extension (§16.3 step 5), an OPTIONS for us too: none is
    supported that a proxy would have to know about."""
    for header in request.headers:
        if header[0] == b"Proxy-Require":
            return Refused(420, b"Bad Extension", [(b"Unsupported", b", ".join(request.get_all(b"Proxy-Require")))])
    return None
