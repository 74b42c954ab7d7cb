"""Explicit hiding, and display-names: what a caller says about himself beside the number.

RFC 5079 §4 lists what is *explicitly* anonymous and deserves a 433: a From URI in `anonymous.invalid`, the display-name
"Anonymous", `Privacy` with `id` or `user`. A number that is merely missing is not hidden.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from gateway.gate.userpart import HIDDEN_WORDS, read_digits
from gateway.registry.model import Trunk
from gateway.registry.numbering import NumberingPlan
from gateway.sip.chars import BACKSLASH, PLUS
from gateway.sip.limits import MAX_MEMO
from gateway.sip.memo import new_memo, remember
from gateway.sip.message import Headers
from gateway.sip.nameaddr import display_text

PRIVACY: Final = b"Privacy"
HARMLESS_PRIVACY: Final = frozenset({b"none", b"critical", b"session", b"history"})
"""priv-values that leave the caller number in sight (RFC 3323 §4.2, RFC 7044 §10.1). Any other asks to hide it."""
WITHHOLDS_IDENTITY: Final = frozenset({b"id", b"user", b"header"})
"""priv-values on which network identity does not leave the trust domain (RFC 3325 §7, RFC 3323 §4.1)."""

MAX_PRIVACY_VALUES: Final = 16
"""priv-values read of all Privacy headers together; eight are registered. Who writes more is taken to ask for all."""
MAX_DISPLAY: Final = 256
"""Octets of a display-name that is read octet by octet; a longer one is dropped like a doubtful one."""

_EVERYTHING: Final = b"id"
_DIGITS: Final = b"0123456789"
_NOT_DIGITS: Final = bytes(octet for octet in range(256) if octet not in _DIGITS)
_LETTERS: Final = b'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz "'
_SNARES: Final = b'<>@\\;"%:'
"""Octets with which a display-name passes for a URI or a parameter in a careless parser."""
MAX_NUMERALS: Final = 2
"""Han numerals that a name may hold (First Bank: one); three in a row spell digits."""


def privacy_values(headers: Headers) -> list[bytes]:
    """priv-values of every Privacy header, lower case. `;` separates them; commas are taken too, as some senders do."""
    values: list[bytes] = []
    room = MAX_PRIVACY_VALUES
    for name, value in headers:
        if name == PRIVACY:
            parts = value.replace(b",", b";").split(b";", room)
            room -= len(parts)
            if room < 0:
                return [_EVERYTHING]
            for part in parts:
                token = part.strip(b' \t"').lower()
                if token:
                    values.append(token)
    return values


def asks_to_hide(headers: Headers) -> bool:
    """Does a Privacy header ask that the caller be hidden?"""
    return any(value not in HARMLESS_PRIVACY for value in privacy_values(headers))


def withholds_identity(headers: Headers) -> bool:
    """Must network identity (P-Asserted-Identity and kin) be dropped towards a phone?"""
    return any(value in WITHHOLDS_IDENTITY for value in privacy_values(headers))


def display_hides(display: bytes) -> bool:
    """Is the display-name a refusal to give a number: "Anonymous", alone or among other words? `display` raw, quotes
    included. A name too long to be one, and full of quoted-pairs, is not read but taken for hiding something."""
    if len(display) > MAX_DISPLAY and BACKSLASH in display:
        return True
    hides = _hides.get(display)
    if hides is None:
        text = display_text(display).lower()
        hides = any(word in text for word in HIDDEN_WORDS)
        if len(display) <= MAX_DISPLAY:
            remember(_hides, MAX_MEMO, display, hides)
    return hides


_hides: Final[dict[bytes, bool]] = new_memo()
"""Display-names seen and what `display_hides` said of them, for a call centre has few; bounded by `MAX_MEMO`."""


def display_is_letters(display: bytes) -> bool:
    """Nothing but ASCII letters and blanks: most display-names, which agree with any number. `display` raw."""
    return not display.translate(None, _LETTERS)


def display_agrees(display: bytes, canonical: str, trunk: Trunk, plan: NumberingPlan) -> bool:
    """May this display-name stand beside this number? Digits in it must be the number; no digits are always fine.

    A display-name is dropped, never refused, so everything doubtful is: other digits in any script, invisible and
    bidirectional characters, text that is not UTF-8, text that looks like a URI. `display` raw; `canonical` may be "".
    """
    if len(display) > MAX_DISPLAY:
        return False
    text = display_text(display)
    if text.isascii():
        if text.isalpha():
            return True
    elif not readable(text):
        return False
    digits = text.translate(None, _NOT_DIGITS)
    if text.translate(None, _SNARES) != text:
        return False
    if not digits:
        return True
    if digits == canonical.removeprefix("+").encode("ascii"):
        return True
    number = read_digits(b"+" + digits if PLUS in text else digits, trunk, plan)
    return number is not None and number.canonical == canonical


def readable(text: bytes) -> bool:
    """UTF-8 without foreign digits, numerals that spell a number, or characters nobody sees."""
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    numerals = 0
    for char in decoded:
        if char < "\x80":
            continue
        if unicodedata.category(char) in ("Cc", "Cf", "Cn", "Co", "Cs", "Nd", "Nl", "No", "Zl", "Zp"):
            return False
        if unicodedata.numeric(char, None) is not None:
            numerals += 1
    return numerals <= MAX_NUMERALS
