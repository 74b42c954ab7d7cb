"""Numbers where no number need be: a Contact to call back, a Call-Info, a ring tone's address.

These are read generously, unlike the headers that must name the caller: whatever somebody's softswitch or phone would
dial counts. The digits of a user part are counted wherever they stand in it, because stripping everything else is what
many a switch does before it dials: five or more are a number, and must be the caller's. Extensions of up to four
digits, names and bare hosts pass. A client that writes random tokens with many digits into its Contact is therefore
refused; a Contact without a user, or with the caller's number, is the way out.
"""

from __future__ import annotations

from typing import Final

from gateway.gate.privacy import readable
from gateway.gate.userpart import NUMBER_PARAMS, UserNumber, plain_digits, read_digits, uri_params
from gateway.registry.model import Trunk
from gateway.registry.number import Number
from gateway.registry.numbering import NumberingPlan
from gateway.sip.chars import COMMA, PLUS, QUESTION, SEMICOLON
from gateway.sip.errors import ProtocolError, RemoteProtocolError
from gateway.sip.nameaddr import NameAddr
from gateway.sip.params import split_params
from gateway.sip.uri import parse_uri, unescape

MIN_NUMBER_DIGITS: Final = 5
"""Digits that make a user part a number to call back: the shortest service codes (95588, 10086) have five."""

_DIGITS: Final = b"0123456789"
_NOT_DIGITS: Final = bytes(octet for octet in range(256) if octet not in _DIGITS)
_SEPARATORS: Final = b"-.()+ \t"
_RUNS: Final = bytes(octet if octet in _DIGITS else 0x20 for octet in range(256))
_URIS: Final = (b"sip:", b"sips:", b"tel:")


def names_nobody(value: bytes, own: UserNumber) -> bool:
    """Is this the everyday Contact: `<sip:host>`, a name of letters, or the very digits of From? Others are read."""
    if not value.startswith(b"<sip:") or not value.endswith(b">"):
        return False
    uri = value[1:-1]
    if own.digits and plain_digits(uri) == own.digits:
        return True
    if SEMICOLON in uri or QUESTION in uri or COMMA in uri:
        return False
    user, at, _ = uri[4:].partition(b"@")
    return user.isalpha() if at else not user.partition(b":")[0].isdigit()


def agrees(address: NameAddr, own: UserNumber, trunk: Trunk, plan: NumberingPlan) -> bool:
    """Does this address name no number at all, or the caller's? Where the caller has none, only its form is judged."""
    if address.params and has_number_params(address.params):
        return False
    try:
        uri = parse_uri(address.uri)
    except RemoteProtocolError as error:
        return error.status == 416  # no phone calls a URL back; what is no URI at all might be read somehow
    if uri.headers or any(name in NUMBER_PARAMS for name, _ in uri_params(uri)):
        return False
    if own.number is None:
        return True
    if uri.user is None:
        return not uri.host.isdigit()
    user = unescape(uri.user)
    if uri.password is not None:
        user += b":" + unescape(uri.password)
    if not user.isascii() and not readable(user):
        return False
    digits = user.translate(None, _NOT_DIGITS)
    if len(digits) < MIN_NUMBER_DIGITS:
        return True
    if SEMICOLON in user or uri.password is not None:
        return False
    number = read_digits(b"+" + digits if PLUS in user else digits, trunk, plan)
    return number is not None and number.canonical == own.number.canonical


def speaks_of_another(value: bytes, own: Number | None, trunk: Trunk, plan: NumberingPlan) -> bool:
    """Does free content (`identity_headers.ANNOUNCING`) hold a sip or tel URI, or digits of another number than
    `own`?"""
    lower = value.lower()
    if any(scheme in lower for scheme in _URIS):
        return True
    for run in value.translate(_RUNS, _SEPARATORS).split():
        if len(run) >= MIN_NUMBER_DIGITS:
            number = read_digits(run, trunk, plan)
            if own is None or number is None or number.canonical != own.canonical:
                return True
    return False


def has_number_params(params: bytes) -> bool:
    """Is there a parameter behind the address that changes what its number means (`;verstat`, `;cpc`, `;rn`)?"""
    try:
        return any(name in NUMBER_PARAMS for name, _ in split_params(params))
    except ProtocolError:
        return True
