"""Masks what may be a subscriber's number in text people wrote: import files go wrong in every way, also by columns
that are exchanged, and messages about them end in terminals, logs and tickets."""

from __future__ import annotations

MIN_DIGITS = 7
"""Shorter runs are no subscriber's number: prefixes, years, lengths."""
SEPARATORS = frozenset(" -.()/\u00a0")
"""Written between the digits of one number."""
SHOWN_LAST = 4
HIDDEN = 4
"""At least so many are hidden, and before them at most MAX_FIRST shown: `+86138****8000`, `138****8000`."""
MAX_FIRST = 5


def mask_digits(text: str, *, apart: bool = False) -> str:
    """The text with runs of seven digits or more masked; digits of any script. `apart`: digits with separators between
    them are one run (not for times)."""
    out: list[str] = []
    run: list[int] = []  # places in `out` of the digits of this run
    for letter in text:
        if letter.isdigit():
            run.append(len(out))
        elif not (apart and run and letter in SEPARATORS):
            _mask(out, run)
            run = []
        out.append(letter)
    _mask(out, run)
    return "".join(out)


def _mask(out: list[str], run: list[int]) -> None:
    count = len(run)
    if count < MIN_DIGITS:
        return
    first = min(MAX_FIRST, count - SHOWN_LAST - HIDDEN)
    hidden = run if first < 3 else run[first : count - SHOWN_LAST]
    for place in hidden:
        out[place] = "*"
