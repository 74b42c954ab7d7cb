"""The unified social credit code of a Chinese organisation (GB 32100-2015): 18 characters, the last a check digit.

The code tells one legal person from another, whatever it calls itself (RULES A23, B15)."""

from __future__ import annotations

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""Base 31: without I, O, S, V, Z."""
LENGTH = 18
_VALUES = {character: value for value, character in enumerate(ALPHABET)}


def check_digit(first: str) -> str:
    """The check digit of the first 17 characters: weights are powers of 3 modulo 31. KeyError for another alphabet."""
    total = sum(_VALUES[character] * pow(3, place, 31) for place, character in enumerate(first))
    return ALPHABET[-total % 31]


def credit_code_problem(code: str) -> str:
    """Why this is no such code, and what to write; empty where it is one."""
    if len(code) != LENGTH or any(character not in _VALUES for character in code):
        return f"write {LENGTH} characters 0-9, A-Z without I, O, S, V, Z"
    if check_digit(code[:-1]) != code[-1]:
        return f"its check digit should be {check_digit(code[:-1])}: correct the code"
    return ""
