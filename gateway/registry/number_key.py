"""Canonical numbers as integers, in an order in which a range is a span.

Plus flag (1 bit), digit count (6 bits), digits (57 bits): numbers of different length are never neighbours, which is
what "exact digit length" asks for (RULES A19)."""

from __future__ import annotations

from typing import Final

MAX_RANGE_DIGITS: Final = 17
"""10^17 < 2^57: the most digits the key holds. E.164 needs 15, extended 95 codes 13."""
LENGTH_SHIFT: Final = 57
PLUS: Final = 1 << 63
DIGITS: Final = (1 << LENGTH_SHIFT) - 1
KEYS: Final = 1 << 64
"""All keys are below."""


def number_key(canonical: str) -> int:
    """The integer a canonical number is sorted by; -1 where it is none, or longer than MAX_RANGE_DIGITS."""
    plus = canonical[:1] == "+"
    digits = canonical[1:] if plus else canonical
    count = len(digits)
    if count > MAX_RANGE_DIGITS or not digits.isdigit() or not digits.isascii():
        return -1
    key = count << LENGTH_SHIFT | int(digits)
    return key | PLUS if plus else key


def key_number(key: int) -> str:
    """The canonical number of a key: `number_key`'s inverse."""
    digits = str(key & DIGITS)
    zeros = (key >> LENGTH_SHIFT & 0x3F) - len(digits)
    if zeros:
        digits = "0" * zeros + digits
    return "+" + digits if key & PLUS else digits
