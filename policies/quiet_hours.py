"""People are left alone in their rest time, by their own clock (RULES A39; hours of packs of other countries)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from policies.band import UNKNOWN_MINUTE
from policies.base import LOCAL_TIME, STORE, Answer
from policies.facts import CONSENT_LIVE, OUTBOUND, Facts
from policies.hours import Hours, read_bands
from policies.params import days, flag, one_of, only, whole, words
from policies.refusal import has_band

DEFAULT_HOURS: Final = ("08:00-21:00",)
"""Our default. Anchor: the terms one carrier's reseller publishes (RULES 1C.2)."""
MAX_WAIT: Final = 86_400
"""Seconds of Retry-After, at most: a longer wait is a refusal for good."""


class QuietHours:
    """Calls outside the hours in which the callee may be called.

    Parameters: `hours`: bands in which calls may be made, on ordinary days; `holidays`: dates (or `calendar`: the name
    of a calendar file, which the loader turns into them) and `holiday_hours`, the bands that count on them (default
    none: no calls); `purposes`: look at calls for these only (default all); `soft`: let the call pass, and mark its
    record; `wish_first`: a callee who declined calls at certain times has said when to rest, and the hours of the pack
    do not count for this callee (default true); `consent_lifts`: live consent lifts the hours (default false);
    `unknown`: `refuse` or `pass` where the callee's time is not known (default refuse); `max_retry_after`: seconds."""

    id: ClassVar[str] = "quiet-hours"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = STORE  # the callee's wish and consent come first
    wants: ClassVar[tuple[str, ...]] = (LOCAL_TIME,)
    answer: ClassVar[Answer] = Answer(603, "Decline", 21)

    def __init__(self, params: Mapping[str, object]) -> None:
        only(
            params,
            *("consent_lifts", "holiday_hours", "holidays", "hours", "max_retry_after", "purposes", "soft", "unknown"),
            "wish_first",
        )
        self._hours = Hours(
            read_bands(words(params, "hours", DEFAULT_HOURS), "hours"),
            read_bands(words(params, "holiday_hours", ()), "holiday_hours"),
            days(params, "holidays"),
        )
        self._purposes = words(params, "purposes", ())
        self._soft = flag(params, "soft", False)
        self._wish_first = flag(params, "wish_first", True)
        self._consent_lifts = flag(params, "consent_lifts", False)
        self._refuse_unknown = one_of(params, "unknown", "refuse", ("refuse", "pass")) == "refuse"
        self._max_wait = whole(params, "max_retry_after", MAX_WAIT, 0, MAX_WAIT)

    def judge(self, facts: Facts) -> str | None:
        """Refuse in the callee's rest time."""
        if self._purposes and facts.purpose not in self._purposes:
            return None
        if self._consent_lifts and facts.consent == CONSENT_LIVE:
            return None
        if self._wish_first and any(has_band(refusal) for refusal in facts.refusals):
            return None  # `callee-refused` holds the call against it
        if facts.subscriber_minute == UNKNOWN_MINUTE:
            return "local time of the callee unknown" if self._refuse_unknown else None
        if self._hours.allow(facts.subscriber_minute, facts.subscriber_day):
            return None
        return "rest time of the callee"

    def softens(self, facts: Facts) -> bool:
        """Does what it said only mark the record?"""
        return self._soft

    def retry_after(self, facts: Facts) -> int:
        """Seconds until the next allowed minute, as far as it is told."""
        minutes = self._hours.wait(facts.subscriber_minute, facts.subscriber_day)
        if not minutes:
            return 0
        into = int(facts.at % 60)  # zones differ by whole minutes
        return min(minutes * 60 - into, self._max_wait)
