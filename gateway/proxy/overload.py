"""Admission control: new calls are shed before waiting makes every call late (DESIGN §7, overload).

Three things are measured. *Delay*: how long a message that arrives now will wait before it is read; the edge knows two
signs of it, how late its timer fires, and since when its sockets have not been read empty, and the greater counts.
*Line*: how long the first of the INVITEs that were read has waited for all else (`net.new_calls`). *Waiting*: calls
parked for a decision.

As in CoDel, the least delay and the least line within a `PERIOD_S` count: a burst that is worked off within it is no
overload, a queue that stood through all of it is. Above the target shedding begins. From then on a call that waited in
line for too long is not taken: the line sheds by itself what does not fit beside the calls that are up. Where that is
not enough, for messages of calls that are up wait or too many are parked, a *share* of new calls is taken, set anew
once per period: it falls by as much as the measure says (the gradient), and grows in small steps. Shedding ends only
when the share is whole again and the least of both was below half the target for a while, so it does not flap. Which
calls are taken is no matter of chance: shares of calls are counted out evenly.

What passes always: emergency calls, and whatever is not an initial INVITE; the caller asks for those alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PERIOD_S: Final = 0.1
"""Between two settings of the share."""

MIN_SHARE: Final = 0.02
"""Some calls always try: otherwise nothing would show that the overload is over."""

MAX_CUT: Final = 0.5
"""The share never falls below this part of itself in one period: one bad reading must not stop all calls."""

STEP_UP: Final = 0.02
"""How much the share grows in a good period: from half to whole in 2.5 s."""

CALM_PERIODS: Final = 10
"""Good periods at a whole share before shedding ends."""

NOTHING: Final = 1e9
"""Delay that stands for "not observed"."""

MAX_MISSED: Final = 20
"""Periods caught up with after a time without any turn."""


@dataclass(frozen=True, slots=True)
class OverloadSettings:
    """Targets; all can be configured."""

    delay_s: float = 0.02
    """Standing delay that begins the shedding: a fifth of the 100 ms that a call's set-up may take."""
    max_delay_s: float = 0.04
    """While shedding: a call that stood in line for longer is not taken at all, for it would be late. A single stall of
    the machine sheds nothing by this."""
    waiting: int = 2_000
    """Parked calls that begin it: 5,000 calls/s at a store that answers in 50 ms park 250."""
    max_waiting: int = 10_000
    """Parked calls at which no other call is taken, whatever the share: the bound of what they keep in memory."""
    retry_after_s: int = 1
    """Least Retry-After; 1, 2 and 3 s take turns from here, so that refused callers do not come back together."""


class Overload:
    """The admission of one worker. `now` is monotonic."""

    __slots__ = (
        "_calm",
        "_credit",
        "_least",
        "_least_line",
        "_most_waiting",
        "_next",
        "_settings",
        "_turn",
        "_waiting",
        "admitted",
        "share",
        "shed",
        "shedding",
        "times",
        "waited",
    )

    def __init__(self, settings: OverloadSettings, now: float) -> None:
        self._settings = settings
        self._next = now + PERIOD_S
        self._least = NOTHING
        """Least delay of this period."""
        self._least_line = NOTHING
        self.waited = 0.0
        """Seconds that the INVITE which is being handled has stood in line."""
        self._most_waiting = 0
        self._waiting = 0
        self._calm = 0
        self._credit = 0.0
        self._turn = 0
        self.share = 1.0
        """Part of new calls that are taken, while shedding."""
        self.shedding = False
        self.times = 0
        """How often shedding began."""
        self.admitted = 0
        self.shed = 0

    @property
    def pressed(self) -> bool:
        """True while `admit` may refuse a call: only then is it worth asking whether one is an emergency call."""
        return self.shedding or self._waiting >= self._settings.max_waiting

    def observe(self, now: float, delay_s: float, waiting: int, line_s: float = 0.0) -> None:
        """What a turn of the loop saw: the delay of what was read in it, the calls parked after it, and how long the
        first of those in line has waited. Also to be called by a timer when nothing comes, so that an idle gateway
        stops shedding."""
        if delay_s < self._least:
            self._least = delay_s
        if line_s < self._least_line:
            self._least_line = line_s
        self._waiting = waiting
        if waiting > self._most_waiting:
            self._most_waiting = waiting
        if now >= self._next:
            self._adjust(now)

    def is_late(self, waited_s: float) -> bool:
        """True when a call that waited so long is not taken."""
        return self.shedding and waited_s > self._settings.max_delay_s

    def admit(self, emergency: bool = False) -> int:
        """Take a new call? 0 for yes, else the seconds for Retry-After of its 503."""
        if emergency:
            self.admitted += 1
            return 0
        if self._waiting < self._settings.max_waiting:
            if not self.shedding:
                self.admitted += 1
                return 0
            if self.waited <= self._settings.max_delay_s:
                self._credit += self.share
                if self._credit >= 1.0:
                    self._credit -= 1.0
                    self.admitted += 1
                    return 0
        return self.full()

    def full(self) -> int:
        """Something else leaves no room for this call: the seconds for Retry-After."""
        self.shed += 1
        self._turn = (self._turn + 1) % 3
        return self._settings.retry_after_s + self._turn

    def _adjust(self, now: float) -> None:
        settings = self._settings
        # The last period's readings stand for those that passed without a turn: nothing came in them.
        missed = min(int((now - self._next) / PERIOD_S), MAX_MISSED)
        pressure = max(self._least / settings.delay_s, self._most_waiting / settings.waiting)
        highest = max(pressure, self._least_line / settings.delay_s)
        if highest > 1.0:
            self._calm = 0
            if not self.shedding:
                self.shedding = True
                self.times += 1
        if pressure > 1.0:
            self.share = max(self.share * max(1.0 / pressure, MAX_CUT), MIN_SHARE)
        elif self.shedding:
            periods = 1 + (missed if highest < 0.5 else 0)
            self.share = min(self.share + STEP_UP * periods, 1.0)
            if self.share >= 1.0 and highest < 0.5:
                self._calm += periods
                if self._calm >= CALM_PERIODS:
                    self.shedding = False
                    self._calm = 0
                    self._credit = 0.0
        self._least = NOTHING
        self._least_line = NOTHING
        self._most_waiting = self._waiting
        self._next = now + PERIOD_S
