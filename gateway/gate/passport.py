"""What an Identity header claims (RFC 8224 §4, PASSporT of RFC 8225): `orig` and `dest`, unverified.

The signature is not checked here, so a claim never proves a number; it may only contradict one. Because it is unproven
the header leaves no trace towards the core (`screen`).
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64

import msgspec

MAX_PASSPORT = 8_192
"""Octets of one Identity value that are decoded: a shaken PASSporT has 500, one with rich call data 2,000."""

_URL_SAFE = bytes.maketrans(b"-_", b"+/")


class _Orig(msgspec.Struct):
    tn: str = ""


class _Dest(msgspec.Struct):
    tn: list[str] = msgspec.field(default_factory=list)


class _Claims(msgspec.Struct):
    orig: _Orig | None = None
    dest: _Dest | None = None


_DECODER = msgspec.json.Decoder(_Claims)


def contradiction(value: bytes, caller: str, callee: str) -> str:
    """What of an Identity value contradicts this call: `Identity orig`, `Identity dest`, `Identity`, or "" for nothing.

    `caller`, `callee`: canonical numbers, `callee` "" where there is none. A value without claims (RFC 8225 §7 compact
    form, RFC 4474) contradicts nothing. Claims that cannot be read do, because the next hop may read them.
    """
    token = value.split(b";", 1)[0].strip(b' \t"')
    parts = token.split(b".")
    if len(parts) != 3 or not parts[1]:
        return ""
    payload = parts[1]
    if len(payload) > MAX_PASSPORT:
        return "Identity"
    try:
        claims = _DECODER.decode(a2b_base64(payload.translate(_URL_SAFE) + b"=="))
    except (Base64Error, msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        return "Identity"
    if claims.orig is None or claims.orig.tn.removeprefix("+") != caller.removeprefix("+"):
        return "Identity orig"
    if callee and claims.dest is not None:
        called = [number.removeprefix("+") for number in claims.dest.tn]
        if callee.removeprefix("+") not in called:
            return "Identity dest"
    return ""
