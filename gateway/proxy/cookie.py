"""The dialog cookie: what a dialog must remember, in Record-Route under a keyed MAC (DESIGN §5).

A dialog has two. The *callee's* travels in the forwarded request, so the callee's route set holds it; the *caller's*
replaces it in each 1xx and 2xx on the way back (RFC 3261 §16.7 step 8). Each is valid only from the trunk it was made
for, and lets a request leave only towards the other trunk of its dialog.

Layout before base64url (84 bytes): key id 1 · kind 1 · issue time 4 (epoch seconds) · decision id 16 · own trunk 4 ·
peer trunk 4 · seven hashes of 6 (From, To; the other side's Contact user, Contact URI, Contact host:port, next
Record-Route host:port, whole route set) · MAC 12. The MAC (keyed BLAKE2b, RFC 7693) covers all of that
and the dialog identifiers, which are not repeated in the cookie: Call-ID, caller tag and, for the caller's cookie,
callee tag.

In a dialog with a digest trunk, which has no address of its own, both cookies bind as well where its side is reached:
24 octets more (`located.pack_address`), before the MAC.
"""

from __future__ import annotations

import struct
from binascii import a2b_base64, b2a_base64
from hashlib import blake2b
from hmac import compare_digest
from typing import Any, Final

from gateway.sip.memo import new_memo, remember

CALLEE: Final = 0
"""Made for the callee: travels in the forwarded request."""
CALLER: Final = 1
"""Made for the caller: travels in the responses."""

NO_HASH: Final = bytes(6)
COOKIE_LENGTH: Final = 112
"""Characters of an encoded cookie."""
BOUND_LENGTH: Final = 144
"""Characters of one that binds an address."""
PARAMETER: Final = b"cg"
"""Name of the Record-Route URI parameter that carries a cookie."""

MAX_REMEMBERED_HASHES: Final = 4_096
"""Short hashes kept, about 1 MB: hosts come back in every call, a Contact in its later requests. Full: forget all."""

MAX_REMEMBERED_LENGTH: Final = 300
"""Octets of a value whose hash is kept; longer ones are hashed each time."""

MAX_REMEMBERED_COOKIES: Final = 4_096
"""Cookies kept that were found right, 4 MB. Full: forget all."""

_BODY: Final = struct.Struct("!BBI16s4s4s6s6s6s6s6s6s6s")
_MAC_LENGTH: Final = 12
# base64url (RFC 4648 §5); 84 and 108 octets need no padding.
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_STANDARD: Final = bytes(
    octet if bytes((octet,)).isalnum() else {0x2D: 0x2B, 0x5F: 0x2F}.get(octet, 0) for octet in range(256)
)
"""The same back, and every octet that is none of base64url to `_STRANGE`."""
_STRANGE: Final = 0


class Cookie:
    """A cookie that was read and whose MAC is right."""

    __slots__ = (
        "bound",
        "contact_host",
        "contact_uri",
        "contact_user",
        "decision",
        "from_hash",
        "issued",
        "kind",
        "own",
        "peer",
        "route_host",
        "routes",
        "to_hash",
    )

    def __init__(
        self,
        kind: int,
        issued: int,
        decision: bytes,
        own: bytes,
        peer: bytes,
        from_hash: bytes,
        to_hash: bytes,
        contact_user: bytes = NO_HASH,
        contact_uri: bytes = NO_HASH,
        contact_host: bytes = NO_HASH,
        route_host: bytes = NO_HASH,
        routes: bytes = NO_HASH,
        bound: bytes = b"",
    ) -> None:
        self.kind = kind
        self.issued = issued
        """Epoch seconds of the initial INVITE."""
        self.decision = decision
        self.own = own
        """Code of the trunk that may present this cookie."""
        self.peer = peer
        """Code of the trunk a request with this cookie may leave to."""
        self.from_hash = from_hash
        """`uri_hash` of the initial INVITE's From URI as this side saw it."""
        self.to_hash = to_hash
        self.contact_user = contact_user
        """Hash of the user part in the other side's Contact, where that side is the core; else `NO_HASH`."""
        self.contact_uri = contact_uri
        """Hash of the other side's Contact URI."""
        self.contact_host = contact_host
        """Hash of its `host:port`."""
        self.route_host = route_host
        """Hash of `host:port` in the other side's Record-Route next to ours."""
        self.routes = routes
        """Hash of all the Route values that requests towards the other side have below ours."""
        self.bound = bound
        """The address of the digest trunk in this dialog; empty where there is none."""


class CookieRing:
    """The keys cookies are made and read with: one current key, older ones still valid."""

    __slots__ = ("_current", "_macs", "_read")

    def __init__(self, keys: dict[int, bytes], current: int) -> None:
        if current not in keys:
            raise ValueError(f"cookie key {current} is not in the ring {sorted(keys)}")
        # Keyed and ready: a copy costs half of what a new one does.
        self._macs = {n: blake2b(digest_size=_MAC_LENGTH, key=key, person=b"cg-cookie") for n, key in keys.items()}
        self._current = current
        self._read: dict[bytes, Cookie] = {}

    def forget(self) -> None:
        """Forget what was read: it can be read again."""
        self._read.clear()

    def issue(self, cookie: Cookie, call_id: bytes, caller_tag: bytes, callee_tag: bytes) -> bytes:
        """The cookie's text. `callee_tag` is empty for the callee's cookie."""
        body = _BODY.pack(
            self._current,
            cookie.kind,
            cookie.issued,
            cookie.decision,
            cookie.own,
            cookie.peer,
            cookie.from_hash,
            cookie.to_hash,
            cookie.contact_user,
            cookie.contact_uri,
            cookie.contact_host,
            cookie.route_host,
            cookie.routes,
        )
        body += cookie.bound
        mac = _mac(self._macs[self._current], body, call_id, caller_tag, callee_tag)
        return b2a_base64(body + mac, newline=False).translate(_URL_SAFE)

    def read(self, text: bytes, call_id: bytes, from_tag: bytes, to_tag: bytes) -> Cookie | None:
        """The cookie in an in-dialog request with these tags, or None when it is not one of ours for this dialog.

        What was found right is remembered, by all that the MAC covers: an ACK and a BYE bring the same. Nobody may
        change the result.
        """
        if len(text) != COOKIE_LENGTH and len(text) != BOUND_LENGTH:
            return None
        # NUL cannot occur in any of the parts (the parser refuses it), so the join is unambiguous.
        presented = b"\0".join((text, call_id, from_tag, to_tag))
        known = self._read.get(presented)
        if known is not None:
            return known
        standard = text.translate(_STANDARD)
        if _STRANGE in standard:
            return None
        raw = a2b_base64(standard)
        body = raw[:-_MAC_LENGTH]
        fields: tuple[Any, ...] = _BODY.unpack_from(body)
        number, kind, issued, decision, own, peer, from_hash, to_hash, user, uri, host, route_host, routes = fields
        keyed = self._macs.get(number)
        if keyed is None:
            return None
        if kind == CALLER:
            mac = _mac(keyed, body, call_id, from_tag, to_tag)
        else:
            # The callee sends: its tag (From here) was not known when the cookie was made.
            mac = _mac(keyed, body, call_id, to_tag, b"")
        if not compare_digest(mac, raw[-_MAC_LENGTH:]):
            return None
        bound = body[_BODY.size :]
        known = Cookie(
            kind, issued, decision, own, peer, from_hash, to_hash, user, uri, host, route_host, routes, bound
        )
        if len(presented) <= MAX_REMEMBERED_LENGTH:
            remember(self._read, MAX_REMEMBERED_COOKIES, presented, known)
        return known


def _mac(keyed: blake2b, body: bytes, call_id: bytes, caller_tag: bytes, callee_tag: bytes) -> bytes:
    # NUL cannot occur in any of the parts (the parser refuses it), so the join is unambiguous.
    mac = keyed.copy()
    mac.update(b"\0".join((call_id, caller_tag, callee_tag, body)))
    return mac.digest()


def short_hash(value: bytes) -> bytes:
    """Six bytes that stand for a canonical URI or user part inside a MACed cookie; `NO_HASH` for nothing."""
    found = _hashes.get(value)
    if found is None:
        found = blake2b(value, digest_size=6).digest() if value else NO_HASH
        if len(value) <= MAX_REMEMBERED_LENGTH:
            remember(_hashes, MAX_REMEMBERED_HASHES, value, found)
    return found


_hashes: Final[dict[bytes, bytes]] = new_memo()
