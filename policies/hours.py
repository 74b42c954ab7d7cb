"""Hours in which people may be called: bands of the week, with gaps, and other bands on public holidays."""

from __future__ import annotations

from typing import Final

from policies.band import DAY, FIX, UNKNOWN_MINUTE, WEEK, Band, read_band

MAX_BANDS: Final = 64
"""Of one list: more than a week has mornings, afternoons and evenings."""
DAYS_AHEAD: Final = 30
"""How far the next allowed minute is looked for: longer than any row of holidays."""


def read_bands(written: tuple[str, ...], key: str) -> tuple[Band, ...]:
    """The bands of a parameter. ValueError as `key: value: fix`."""
    if len(written) > MAX_BANDS:
        raise ValueError(f"{key}: {len(written)} bands: write at most {MAX_BANDS}")
    found = []
    for text in written:
        band = read_band(text)
        if band is None:
            raise ValueError(f"{key}: {text!r:.80}: {FIX}")
        found.append(band)
    return tuple(found)


class Hours:
    """`bands` count on ordinary days, `holiday_bands` on holidays. Days are proleptic ordinals of the local date,
    minutes those of the local week (0 is Monday 00:00)."""

    __slots__ = ("_bands", "_holiday_bands", "_holidays")

    def __init__(
        self, bands: tuple[Band, ...], holiday_bands: tuple[Band, ...] = (), holidays: frozenset[int] = frozenset()
    ) -> None:
        self._bands = bands
        self._holiday_bands = holiday_bands
        self._holidays = holidays

    def allow(self, minute: int, day: int) -> bool:
        """May people be called at this minute of the week, on this day? Never at a time nobody knows."""
        if minute == UNKNOWN_MINUTE:
            return False
        return any(band.covers(minute) for band in self._of(day))

    def wait(self, minute: int, day: int) -> int:
        """Minutes until the next allowed one, 0 where none comes within `DAYS_AHEAD` or the time is unknown. Local
        minutes: in the night when clocks are changed it is an hour off."""
        if minute == UNKNOWN_MINUTE:
            return 0
        midnight = minute - minute % DAY
        for ahead in range(DAYS_AHEAD):
            begins = {0, *(band.begin for band in self._of(day + ahead))}
            for begin in sorted(begins):
                waited = midnight + ahead * DAY + begin - minute
                if waited > 0 and self.allow((minute + waited) % WEEK, day + ahead):
                    return waited
        return 0

    def _of(self, day: int) -> tuple[Band, ...]:
        return self._holiday_bands if day in self._holidays else self._bands
