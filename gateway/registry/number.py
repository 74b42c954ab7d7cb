"""One number, read; and how people see it."""

from __future__ import annotations

from typing import Final

FORM_E164: Final = "e164"
FORM_INTERNATIONAL: Final = "international"
FORM_NATIONAL: Final = "national"
FORM_LOCAL: Final = "local"
FORM_BARE: Final = "bare"

KIND_FOREIGN: Final = "foreign"
KIND_AREA_SERVICE: Final = "area_service"
"""A service code behind an area code (`01095588`): its own number, never the code's owner's (RULES Part
2(d) form 16)."""


class Number:
    """One number, read. `canonical` is what is compared, stored and hashed; `form` is how it stood on the
    wire.

    `kind`: kind of the plan entry, `foreign` or `area_service`. `region`: English name of the area or
    empty. `ambiguous`: digits that another reading fits as well. `caller`: the plan's word on voice callers
    (`owner`, `cert`, `no`; empty where the plan says nothing)."""

    __slots__ = ("ambiguous", "caller", "canonical", "form", "kind", "region")

    def __init__(
        self,
        canonical: str,
        kind: str,
        form: str,
        region: str = "",
        ambiguous: bool = False,
        caller: str = "",
    ) -> None:
        self.canonical = canonical
        self.kind = kind
        self.form = form
        self.region = region
        self.ambiguous = ambiguous
        self.caller = caller

    def __repr__(self) -> str:
        """Masked: a Number may stand for a subscriber, and reprs end in logs."""
        return f"Number({mask(self.canonical)}, {self.kind}, {self.form})"


def mask(canonical: str, country: str = "86") -> str:
    """A number for people's eyes: `+86138****8000`.

    Never more than 3 leading national digits and 4 trailing ones; short numbers are masked whole.
    """
    if canonical[:1] != "+":
        return "*" * len(canonical)
    head = len(country) + 1 if canonical.startswith("+" + country) else 1
    national = len(canonical) - head
    if national < 10:  # fewer than three hidden digits would be no mask
        return canonical[:head] + "*" * national
    return canonical[: head + 3] + "*" * (national - 7) + canonical[-4:]
