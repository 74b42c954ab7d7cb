"""Lists of numbers, as digits they begin with and kinds of the numbering plan: `+33162`, `95013`, `kind:mobile`."""

from __future__ import annotations

from typing import Final

KIND: Final = "kind:"
MAX_PREFIXES: Final = 20_000
"""Of one list: a pack of them travels in every registry snapshot."""


class Prefixes:
    """Numbers that begin with one of these digits, or are of one of these kinds. A look-up costs one comparison per
    length that occurs, however long the list is."""

    __slots__ = ("_begin", "_kinds", "_lengths")

    def __init__(self, written: tuple[str, ...], key: str) -> None:
        """`key`: the parameter, for errors (ValueError, `key: value: fix`)."""
        if len(written) > MAX_PREFIXES:
            raise ValueError(f"{key}: {len(written)} prefixes: write at most {MAX_PREFIXES}")
        begin = {text for text in written if not text.startswith(KIND)}
        for text in begin:
            digits = text.removeprefix("+")
            if not (digits.isascii() and digits.isdigit()):
                raise ValueError(f"{key}: {text!r:.80}: write +<country><digits>, digits of a code, or {KIND}<kind>")
        self._begin = frozenset(begin)
        self._kinds = frozenset(text.removeprefix(KIND) for text in written if text.startswith(KIND))
        self._lengths = tuple(sorted({len(text) for text in begin}))

    def hold(self, number: str, kind: str) -> bool:
        """Is this number in the list? `number`: canonical; empty where only its kind is known."""
        if kind and kind in self._kinds:
            return True
        if number:
            for length in self._lengths:
                if number[:length] in self._begin:
                    return True
        return False

    def __bool__(self) -> bool:
        """False for an empty list."""
        return bool(self._begin or self._kinds)
