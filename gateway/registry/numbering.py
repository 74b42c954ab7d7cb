"""Numbering plan: digits as dialled or presented -> one canonical number, with the form they came in.

The form is kept, never stripped away (RULES Part 2(a)): `+86`, `0086`, `0` + area, bare digits and local
digits are read by different rules, because the same digits mean different things in them. In `+86` and `0`
form the area code wins; in bare form the service code wins and the number is marked ambiguous when an area
reads as well (`95[1-5]`, `106`).

Canonical: geographic, mobile, 400 and 800 numbers and foreign ones as `+<country><number>`; service codes
(95, 96, 1xx) as bare digits. `+8695588` is no E.164 number but is seen: it is the short code, where no area
reading fits. Carrier selection prefixes (179xx, 12593) are never stripped: such digits are no number of the
plan."""

from __future__ import annotations

from typing import Final

from gateway.registry.model import PlanEntry
from gateway.registry.number import (
    FORM_BARE,
    FORM_E164,
    FORM_INTERNATIONAL,
    FORM_LOCAL,
    FORM_NATIONAL,
    KIND_AREA_SERVICE,
    KIND_FOREIGN,
    Number,
    mask,
)
from gateway.registry.plan_csv import PlanError, emergency_codes, load_plan_csv

__all__: Final = ["Number", "NumberingPlan", "PlanError", "emergency_codes", "load_plan_csv", "mask"]

MAX_DIGITS: Final = 24
"""Longest digit string looked at: `00` + country code 86 + the plan's longest code (20 digits of 106)."""
HEAD_DIGITS: Final = 3
"""First digits by which the prefixes to be tried are narrowed down: 1,110 heads at most, one or two lengths each."""
MAX_E164_DIGITS: Final = 15
"""ITU-T E.164 §6: country code and national number together."""
MIN_FOREIGN_DIGITS: Final = 7
"""Shortest country code + number taken as dialable; shorter strings behind `+` are typing or probing."""
MIN_SERVICE_AFTER_COUNTRY: Final = 5
"""`+8695588` is seen in practice; three-digit codes (`+86110`) are not. Emergency codes are not read behind a country
code at any length: an emergency callee is its exact digits (DESIGN §5)."""

NATIONAL_KINDS: Final = frozenset(
    {
        "geo",
        "mobile",
        "mobile_iot",
        "mobile_mvno",
        "mobile_special",
        "mobile_unassigned",
        "shared_cost_inbound",
        "freephone_inbound",
        "reserved",
    }
)
"""Kinds of the plan that have an E.164 number; every other kind is a service code, canonical as bare
digits."""

TRUNK_ZERO_KINDS: Final = frozenset(
    {"geo", "mobile", "mobile_mvno", "mobile_special", "mobile_iot", "mobile_unassigned"}
)
"""Kinds dialled with the trunk prefix 0. Not 400 and 800: `0400...` is dialled by nobody."""

AREA_SERVICE_KINDS: Final = frozenset(
    {
        "service_95",
        "access_95_vas",
        "provincial_short",
        "service_12",
        "gov_service",
        "public_service",
        "public_welfare",
        "carrier_service",
    }
)
"""Service codes that are dialled behind an area code: `02195588`, `057196xxx`, `01012345`."""
MAX_AREA_SERVICE_DIGITS: Final = 8
"""Longest service code looked for behind an area code: the ordinary bound of extended 95 codes."""


class _Prefixes:
    """Plan entries by prefix; the longest prefix whose length range and first subscriber digit fit wins."""

    __slots__ = ("_by_prefix", "_lengths", "_narrow")

    def __init__(self, entries: list[PlanEntry]) -> None:
        by_prefix: dict[str, list[PlanEntry]] = {}
        for entry in entries:
            by_prefix.setdefault(entry.prefix, []).append(entry)
        self._by_prefix = {prefix: tuple(rows) for prefix, rows in by_prefix.items()}
        self._lengths = tuple(sorted({len(prefix) for prefix in by_prefix}, reverse=True))
        self._narrow: dict[str, tuple[int, ...]] = {}

    def fit(self, digits: str) -> PlanEntry | None:
        """The entry these digits (after the country code) belong to, or None."""
        total = len(digits)
        by_prefix = self._by_prefix
        head = digits[:HEAD_DIGITS]
        lengths = self._narrow.get(head)
        if lengths is None:
            lengths = self._narrow[head] = self._lengths_behind(head)
        for length in lengths:
            rows = by_prefix.get(digits[:length])
            if rows is None:
                continue
            for entry in rows:
                if entry.min_len <= total <= entry.max_len and (
                    not entry.sub_first or (total > length and digits[length] in entry.sub_first)
                ):
                    return entry
        return None

    def _lengths_behind(self, head: str) -> tuple[int, ...]:
        """Lengths of the prefixes that digits which begin so may have, longest first."""
        met = {len(prefix) for prefix in self._by_prefix if prefix.startswith(head) or head.startswith(prefix)}
        return tuple(length for length in self._lengths if length in met)


class NumberingPlan:
    """The numbering plan of one country. Immutable; reading allocates one `Number` and no more.

    `entries`: rows of the plan, digits after the country code. `emergency`: emergency codes, digits only.
    `country`: country code. `zone`: IANA time zone of the plan's numbers.
    """

    __slots__ = ("_areas", "_codes", "_national", "_zero", "_zones", "country", "emergency", "zone")

    def __init__(
        self,
        entries: tuple[PlanEntry, ...],
        emergency: tuple[str, ...],
        country: str = "86",
        zone: str = "Asia/Shanghai",
    ) -> None:
        self.country = country
        self.zone = zone
        self.emergency = frozenset(emergency)
        self._national = _Prefixes([entry for entry in entries if entry.kind in NATIONAL_KINDS])
        self._zero = _Prefixes([entry for entry in entries if entry.kind in TRUNK_ZERO_KINDS])
        codes = [entry for entry in entries if entry.kind not in NATIONAL_KINDS]
        listed = {entry.prefix for entry in codes if entry.kind == "emergency"}
        codes += [PlanEntry(code, "emergency", len(code), len(code), "no") for code in emergency if code not in listed]
        self._codes = _Prefixes(codes)
        self._zones = {entry.region: entry.zone for entry in entries if entry.zone}
        self._areas: dict[str, PlanEntry] = {}
        for entry in entries:
            if entry.kind == "geo":
                self._areas.setdefault(entry.prefix, entry)

    def read(self, digits: bytes, plus: bool, country: str, area: str) -> Number | None:
        """Read the digits of one number; None: no number of the plan (malformed).

        `digits`: without the `+` and without visual separators; anything but ASCII 0-9 is malformed.
        `plus`: a `+` stood before them. `country`, `area`: what `0`-national and local forms are read in
        (the trunk's, or those of a phone-context); an empty area refuses local forms."""
        if len(digits) > MAX_DIGITS or not digits.isdigit():  # bytes.isdigit is ASCII only, and False when empty
            return None
        text = digits.decode("ascii")
        if plus:
            return self._international(text, FORM_E164)
        if text[0] != "0":
            return self._bare(text, country, area)
        if text[1:2] == "0":
            return self._international(text[2:], FORM_INTERNATIONAL)
        return self._trunk_zero(text[1:], country)

    def zone_of(self, number: Number) -> str:
        """IANA time zone of a number; empty for foreign ones, whose zone this plan does not know."""
        return "" if number.kind == KIND_FOREIGN else self._zones.get(number.region, self.zone)

    def is_area(self, area: str) -> bool:
        """True for an area code of the plan, without trunk 0 (`571`)."""
        return area in self._areas

    def spellings(self, digits: bytes, plus: bool, country: str) -> tuple[str, ...]:
        """Canonical spellings that unreadable digits would have, were there numbers of that length.

        Only for telling "digits added or cut" (RULES A19, `RangeTable.near`) from plain nonsense.
        """
        if len(digits) > MAX_DIGITS or not digits.isdigit():
            return ()
        text = digits.decode("ascii")
        if plus:
            return ("+" + text,)
        if text[:2] == "00":
            return ("+" + text[2:],)
        if text[0] == "0":
            return ("+" + country + text[1:],)
        return (text, "+" + country + text, "+" + text)

    def _international(self, text: str, form: str) -> Number | None:
        """Country code first. A home number's area reading wins; trunk 0 after the country code is
        malformed."""
        home = self.country
        if not text.startswith(home):
            if MIN_FOREIGN_DIGITS <= len(text) <= MAX_E164_DIGITS and text[0] != "0":
                return Number("+" + text, KIND_FOREIGN, form)
            return None
        nsn = text[len(home) :]
        if nsn[:1] == "0":
            return None
        entry = self._national.fit(nsn)
        if entry is not None:
            return Number("+" + text, entry.kind, form, entry.region, False, entry.caller)
        return self._area_service(nsn, form) or self._code(nsn, form)

    def _code(self, nsn: str, form: str) -> Number | None:
        """A service code that someone put behind the country code."""
        if len(nsn) < MIN_SERVICE_AFTER_COUNTRY:
            return None
        entry = self._codes.fit(nsn)
        if entry is None or entry.kind == "emergency":
            return None
        return Number(nsn, entry.kind, form, entry.region, False, entry.caller)

    def _trunk_zero(self, nsn: str, country: str) -> Number | None:
        """`0` + area + local number, `0` + mobile, `0` + area + service code."""
        if country != self.country:
            return _foreign(country + nsn, FORM_NATIONAL)
        entry = self._zero.fit(nsn)
        if entry is not None:
            return Number("+" + country + nsn, entry.kind, FORM_NATIONAL, entry.region, False, entry.caller)
        return self._area_service(nsn, FORM_NATIONAL)

    def _area_service(self, nsn: str, form: str) -> Number | None:
        """Area code + service code: a number of its own, so that it never passes for the code's owner."""
        for length in (2, 3):
            area = self._areas.get(nsn[:length])
            code = nsn[length:]
            if area is None or not MIN_SERVICE_AFTER_COUNTRY <= len(code) <= MAX_AREA_SERVICE_DIGITS:
                continue
            entry = self._codes.fit(code)
            if entry is not None and entry.kind in AREA_SERVICE_KINDS:
                also = self._codes.fit(nsn) is not None
                return Number("+" + self.country + nsn, KIND_AREA_SERVICE, form, area.region, also, "no")
        return None

    def _bare(self, text: str, country: str, area: str) -> Number | None:
        """No prefix: service code, then national number, then country code without its plus, then local
        number."""
        home = self.country
        if country != home:
            if text in self.emergency:
                return Number(text, "emergency", FORM_BARE, "", False, "no")
            return _foreign(country + area + text, FORM_LOCAL) if area else None
        code = self._codes.fit(text)
        entry = self._national.fit(text)
        if code is not None:
            return Number(text, code.kind, FORM_BARE, code.region, entry is not None, code.caller)
        if entry is not None:
            return Number("+" + home + text, entry.kind, FORM_BARE, entry.region, False, entry.caller)
        if text.startswith(home):
            entry = self._national.fit(text[len(home) :])
            if entry is not None:
                return Number("+" + text, entry.kind, FORM_BARE, entry.region, False, entry.caller)
        if area:
            entry = self._national.fit(area + text)
            if entry is not None and entry.kind == "geo" and entry.prefix.startswith(area):
                return Number("+" + home + area + text, entry.kind, FORM_LOCAL, entry.region, False, entry.caller)
        return None


def _foreign(text: str, form: str) -> Number | None:
    """A number of another country's trunk, read in that country; its own plan is not known here."""
    if text[0] == "0" or not MIN_FOREIGN_DIGITS <= len(text) <= MAX_E164_DIGITS:
        return None
    return Number("+" + text, KIND_FOREIGN, form)
