"""Explicit hiding, and display-names: what a caller says about himself beside the number.

RFC 5079 §4 lists what is *explicitly* anonymous and deserves a 433: a From URI in `anonymous.invalid`, the display-name
"Anonymous", `Privacy` with `id` or `user`. A number that is merely missing is not hidden.
"""

from __future__ import annotations

import unicodedata

from gateway.gate.userpart import HIDDEN_WORDS, read_digits
from gateway.registry.model import Trunk
from gateway.registry.numbering import NumberingPlan
from gateway.sip.message import Headers
from gateway.sip.nameaddr import display_text

PRIVACY = b"Privacy"
HARMLESS_PRIVACY = frozenset({b"none", b"critical", b"session", b"history"})
"""priv-values that leave the caller number in sight (RFC 3323 §4.2, RFC 7044 §10.1). Any other asks to hide it."""
WITHHOLDS_IDENTITY = frozenset({b"id", b"user", b"header"})
"""priv-values on which network identity does not leave the trust domain (RFC 3325 §7, RFC 3323 §4.1)."""

_DIGITS = b"0123456789"
_NOT_DIGITS = bytes(octet for octet in range(256) if octet not in _DIGITS)
_LETTERS = b'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz "'
_SNARES = b'<>@\\;"%:'
"""Octets with which a display-name passes for a URI or a parameter in a careless parser."""
MAX_NUMERALS = 2
"""Han numerals that a name may hold (First Bank: one); three in a row spell digits."""


def privacy_values(headers: Headers) -> list[bytes]:
    """priv-values of every Privacy header, lower case. `;` separates them; commas are taken too, as some senders do."""
    values = []
    for name, value in headers:
        if name == PRIVACY:
            for part in value.replace(b",", b";").split(b";"):
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
    """Is the display-name itself a refusal to give a number ("Anonymous")? `display` raw, quotes included."""
    return display_text(display).strip(b" \t").lower() in HIDDEN_WORDS


def display_is_letters(display: bytes) -> bool:
    """Nothing but ASCII letters and blanks: most display-names, which agree with any number. `display` raw."""
    return not display.translate(None, _LETTERS)


def display_agrees(display: bytes, canonical: str, trunk: Trunk, plan: NumberingPlan) -> bool:
    """May this display-name stand beside this number? Digits in it must be the number; no digits are always fine.

    A display-name is dropped, never refused, so everything doubtful is: other digits in any script, invisible and
    bidirectional characters, text that is not UTF-8, text that looks like a URI. `display` raw; `canonical` may be "".
    """
    text = display_text(display)
    if text.isascii():
        if text.isalpha():
            return True
    elif not _readable(text):
        return False
    digits = text.translate(None, _NOT_DIGITS)
    if text.translate(None, _SNARES) != text:
        return False
    if not digits:
        return True
    if digits == canonical.removeprefix("+").encode("ascii"):
        return True
    number = read_digits(b"+" + digits if b"+" in text else digits, trunk, plan)
    return number is not None and number.canonical == canonical


def _readable(text: bytes) -> bool:
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
