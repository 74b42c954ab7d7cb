"""Character classes of RFC 3261 §25.1, as tables for `bytes.translate`.

A table keeps the octets of its class and changes every other one, so `value.translate(TOKEN) == value` says
that `value` is made of token characters alone (an empty value too). One pass in C, linear, and half the price of
deleting the class and looking what is left.
"""

from __future__ import annotations

from typing import Final

QUOTE: Final = 0x22
PERCENT: Final = 0x25
PLUS: Final = 0x2B
COMMA: Final = 0x2C
COLON: Final = 0x3A
SEMICOLON: Final = 0x3B
ANGLE: Final = 0x3C
EQUAL: Final = 0x3D
QUESTION: Final = 0x3F
BACKSLASH: Final = 0x5C
UNDERSCORE: Final = 0x5F
# `COMMA in value`, because `b"," in value` raises and drops a TypeError inside the interpreter: a quarter microsecond.


def table(octets: bytes) -> bytes:
    """The table of the class of these octets: every other octet becomes NUL, and NUL itself, which is in none, 0x01."""
    return bytes(octet if octet in octets else int(octet == 0) for octet in range(256))


_DIGITS: Final = b"0123456789"
_ALPHANUM: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" + _DIGITS
_HEXDIGITS: Final = _DIGITS + b"ABCDEFabcdef"
TOKEN_OCTETS: Final = _ALPHANUM + b"-.!%*_+`'~"

UNRESERVED_OCTETS: Final = _ALPHANUM + b"-_.!~*'()"
TEL_SEPARATORS: Final = b"-.()"
"""visual-separator (RFC 3966 §3), as octets: they are deleted, not checked."""

HEXDIG: Final = table(_HEXDIGITS)

TOKEN: Final = table(TOKEN_OCTETS)
"""token = 1*(alphanum / "-" / "." / "!" / "%" / "*" / "_" / "+" / "`" / "'" / "~")."""

DISPLAY: Final = table(TOKEN_OCTETS + b" \t")
"""*(token LWS), the display-name without quotes."""

PLAIN_PARAMS: Final = table(TOKEN_OCTETS + b";=")
"""Parameters that need no care: no quotes, brackets or blanks."""

GEN_VALUE: Final = table(TOKEN_OCTETS + b"[]:")
"""gen-value = token / host / quoted-string, without the quotes; host may be an IPv6reference."""

WORD: Final = table(TOKEN_OCTETS + b'()<>:\\"/[]?{}@')
"""callid = word [ "@" word ]; how many `@` is counted apart."""

USER: Final = table(UNRESERVED_OCTETS + b"%&=+$,;?/")
"""user = 1*( unreserved / escaped / user-unreserved ); what follows a `%` is checked apart."""

PASSWORD: Final = table(UNRESERVED_OCTETS + b"%&=+$,")

URI_PARAMS: Final = table(UNRESERVED_OCTETS + b"%[]/:&+$=;")
"""uri-parameters: pname and pvalue are 1*paramchar, joined by `=` and `;`."""

URI_HEADERS: Final = table(UNRESERVED_OCTETS + b"%[]/?:+$=&")
"""headers of a SIP URI, `?` cut off."""

URI: Final = table(UNRESERVED_OCTETS + b"%;/?:@&=+$,[]#")
"""Any octet of any URI (RFC 3986 §2), and `#`, which RFC 3966 §3 has in local numbers."""

SCHEME: Final = table(_ALPHANUM + b"+-.")

HOST: Final = table(_ALPHANUM + b"-._")
"""hostname and IPv4address. We depart: `_` is no hostname character, but container names have it."""

IPV6: Final = table(_HEXDIGITS + b":.")
"""IPv6address. Three colons in a row pass: the ABNF of RFC 3261 made them (RFC 5118 §4.10)."""

GLOBAL_NUMBER: Final = table(_DIGITS + TEL_SEPARATORS)
LOCAL_NUMBER: Final = table(_HEXDIGITS + b"*#" + TEL_SEPARATORS)

TEXT_OCTETS: Final = bytes(octet for octet in range(256) if octet >= 0x20 and octet != 0x7F) + b"\t"
"""What may stand in a header line outside a quoted-pair: no control characters but HTAB."""

TEXT: Final = table(TEXT_OCTETS)
ASCII_TEXT: Final = table(TEXT_OCTETS[: TEXT_OCTETS.index(0x80)] + b"\t")

CONTROLS: Final = bytes(octet for octet in range(32) if octet != 9) + b"\x7f"
"""As octets."""
