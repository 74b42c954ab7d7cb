"""Where a request inside a dialog may go (RFC 3261 §16.6 step 6; DESIGN §5, Dialog cookies).

What the other side said itself, its Contact and its Record-Routes, is bound in the cookie and lawful byte for byte.
Whatever differs from it is held against a list of what is harmless: anything that a next hop might dial is not.
"""

from __future__ import annotations

from typing import Final

from gateway.proxy.cookie import NO_HASH, Cookie, short_hash
from gateway.proxy.peer import Destination, Peer
from gateway.proxy.record_route import below_ours
from gateway.proxy.route import OwnHosts, Routing
from gateway.sip.errors import RemoteProtocolError
from gateway.sip.message import Request
from gateway.sip.nameaddr import parse_name_addr
from gateway.sip.uri import Uri, parse_uri, read_uri, unescape
from gateway.sip.writer import decimal

MAX_HARMLESS_DIGITS: Final = 2
"""Digits that a user part may hold without being taken for a number: the shortest service numbers have three."""

CONFIRMING: Final = frozenset((b"ACK", b"BYE", b"PRACK"))
"""Methods that start nothing."""

_DIGITS: Final = b"0123456789"
_HARMLESS_PARAMS: Final = frozenset((b"transport", b"ob", b"gr"))
"""URI parameters (RFC 3261 §19.1.1, RFC 5626, RFC 5627) that choose no callee."""


class Bound:
    """Hashes of where one side of a dialog is reached, as its cookie carries them."""

    __slots__ = ("contact_host", "contact_uri", "contact_user", "route_host", "routes")

    def __init__(self, contact: bytes | None, route_set: list[bytes], own: OwnHosts, core: bool) -> None:
        """`contact`: that side's Contact; `route_set`: its Record-Route values in the order requests will have them as
        Routes; `core`: that side is the core, where a user part is dialled."""
        self.contact_user = self.contact_uri = self.contact_host = self.route_host = self.routes = NO_HASH
        if contact:
            self._bind_contact(contact, core)
        if route_set:
            below = below_ours(route_set, own)
            if below:
                self.routes = short_hash(b"\n".join(below))
                self.route_host = _host_hash(below[0])

    def _bind_contact(self, contact: bytes, core: bool) -> None:
        try:
            if contact.startswith(b"<sip:") and contact.find(b">") == len(contact) - 1:
                raw = contact[1:-1]
            else:
                raw = parse_name_addr(contact).uri
            uri = read_uri(raw)
        except RemoteProtocolError:
            return  # nothing is bound, and nothing will match it
        self.contact_uri = short_hash(raw)
        self.contact_host = short_hash(_host_port(uri))
        if core and uri.user is not None:
            self.contact_user = short_hash(unescape(uri.user))


def find_target(request: Request, routing: Routing, peer: Peer, cookie: Cookie) -> Destination | None:
    """Where an in-dialog request goes: the next Route, else the Request-URI. Both must belong to `peer`, and so must
    every other Route. None: one names a stranger, another port of the peer, or toward the core another callee."""
    target = routing.target
    if target.scheme != b"sip" or target.headers:
        return None
    if target.params and (target.has_param(b"maddr") or (not peer.access and target.has_param(b"lr"))):
        return None
    destination = peer.reach(target.host, target.port, target.param(b"transport") or b"")
    if destination is None:
        return None
    if short_hash(request.uri) != cookie.contact_uri:
        # A lawful target refresh (§12.2) names a host that no cookie can know: what only ends or confirms is let go
        # anywhere in the trunk's own networks, so that no call stays up because its BYE was refused.
        if request.method not in CONFIRMING and not _known_host(target, peer, cookie):
            return None
        if not peer.access and not _harmless(target, cookie, request.to.uri):
            return None
    if not routing.rest:
        return destination
    bound = short_hash(b"\n".join(routing.rest)) == cookie.routes
    for value in reversed(routing.rest):
        try:
            uri = parse_uri(parse_name_addr(value).uri)
        except RemoteProtocolError:
            return None
        if uri.scheme != b"sip" or uri.headers or uri.has_param(b"maddr") or not uri.has_param(b"lr"):
            return None
        if not bound:
            if not _known_host(uri, peer, cookie):
                return None
            # A next hop that takes us for a strict router makes a Route its Request-URI (§16.4).
            if not peer.access and (uri.password is not None or not _no_number(unescape(uri.user or b""))):
                return None
        destination = peer.reach(uri.host, uri.port, uri.param(b"transport") or b"")
        if destination is None:
            return None
    return destination


def _known_host(uri: Uri, peer: Peer, cookie: Cookie) -> bool:
    """True for the host and port of a next hop, of the bound Contact or of the bound Record-Route."""
    host_port = _host_port(uri)
    if host_port in peer.hop_addresses:
        return True
    found = short_hash(host_port)
    return found == cookie.contact_host or found == cookie.route_host


def _host_hash(value: bytes) -> bytes:
    try:
        return short_hash(_host_port(parse_uri(parse_name_addr(value).uri)))
    except RemoteProtocolError:
        return NO_HASH


def _host_port(uri: Uri) -> bytes:
    if not uri.port and (uri.param(b"transport") or b"").lower() == b"tls":
        return uri.host + b":5061"  # RFC 3261 §19.1.2
    return uri.host + b":" + decimal(uri.port or 5060)


def _harmless(target: Uri, cookie: Cookie, other_party: bytes) -> bool:
    """True for a Request-URI that the core cannot take for another callee than the dialog's. `other_party`: To URI."""
    if target.password is not None:
        return False
    if target.params:
        for part in target.params.split(b";"):
            name, _, value = part.partition(b"=")
            name = name.lower()
            if name not in _HARMLESS_PARAMS and (name != b"user" or value.lower() != b"phone"):
                return False
    if target.user is None:
        return True
    user = unescape(target.user)
    if _no_number(user) or short_hash(user) == cookie.contact_user:
        return True
    digits = user[1:] if user[:1] == b"+" else user
    return digits.isdigit() and digits == digits_of(other_party)


def _no_number(user: bytes) -> bool:
    """True for a user part (unescaped) that nobody can read as a number."""
    return len(user) - len(user.translate(None, _DIGITS)) <= MAX_HARMLESS_DIGITS and user.isascii()


def digits_of(raw: bytes) -> bytes:
    """The digits of a URI's telephone number; b"" where its user part is anything else."""
    try:
        user = unescape(parse_uri(raw).user or b"")
    except RemoteProtocolError:
        return b""
    digits = user.translate(None, b"+-.()")
    return digits if len(digits) > MAX_HARMLESS_DIGITS and digits.isdigit() else b""
