"""Which calls are up: a lease for each, as long as its call may go on without a word (DESIGN §6, Channels).

Soft state. A lease ends with the first BYE, when the session timer of its call runs out (RFC 4028), or at the longest
time a call may last. Times are monotonic seconds, so that a clock that is set ends no call, and are kept in whole
seconds: leases that end in the same one lie together, and looking for those that are over costs what they are many.
"""

from __future__ import annotations

from gateway.sip.message import Response

MAX_LEASES = 1_000_000
"""Calls remembered; beyond it the oldest are taken for ended."""

MIN_SESSION_S = 90
"""Least Session-Expires there is (RFC 4028 §4): with less, a call would be written off while it goes on."""

GRACE_S = 32
"""After a session's end: its BYE may still be repeated so long (timer F)."""

MAX_DIGITS = 9


class Leases:
    """Of one worker. A call is known by its decision id."""

    __slots__ = ("_due", "_ending", "_looked", "longest_s")

    def __init__(self, longest_s: float) -> None:
        """`longest_s`: seconds a call may last."""
        self.longest_s = longest_s
        self._due: dict[str, tuple[int, int]] = {}
        """When a lease ends, and when at the latest."""
        self._ending: dict[int, dict[str, None]] = {}
        """Those that end in one second, in order."""
        self._looked = 0
        """All that end up to this second are gone; 0: nothing was looked at yet."""

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, call: str) -> bool:
        return call in self._due

    def begin(self, call: str, since: float) -> None:
        """A call is up since then, unless that is known already."""
        if call in self._due:
            return
        if len(self._due) >= MAX_LEASES:
            self.end(next(iter(self._due)))
        latest = int(since + self.longest_s)
        self._put(call, latest, latest)

    def refresh(self, call: str, session_s: int, now: float) -> int:
        """Its two ends agreed that it goes on for so long, 0: for as long as it likes. When its lease ends now, if that
        is another time; else 0."""
        found = self._due.get(call)
        if found is not None:
            latest = found[1]
            due = min(int(now) + max(session_s, MIN_SESSION_S) + GRACE_S, latest) if session_s else latest
            if due != found[0]:
                self.end(call)
                self._put(call, due, latest)
                return due
        return 0

    def end(self, call: str) -> bool:
        """False: there was no lease."""
        found = self._due.pop(call, None)
        if found is None:
            return False
        together = self._ending[found[0]]
        del together[call]
        if not together:
            del self._ending[found[0]]
        return True

    def over(self, now: float) -> list[str]:
        """The calls whose leases are over; they are ended by this."""
        second = int(now)
        if second - self._looked > len(self._ending):
            seconds = sorted(one for one in self._ending if one <= second)
        else:
            seconds = [one for one in range(self._looked + 1, second + 1) if one in self._ending]
        self._looked = second
        calls = [call for one in seconds for call in self._ending[one]]
        for call in calls:
            self.end(call)
        return calls

    def shrink(self) -> None:
        """Make the tables as small as what they hold: a dict keeps the size it once had."""
        self._due = dict(self._due)
        self._ending = dict(self._ending)

    def _put(self, call: str, due: int, latest: int) -> None:
        # One that is over already is found with the next look.
        due = max(due, self._looked + 1)
        self._due[call] = (due, latest)
        self._ending.setdefault(due, {})[call] = None


def session_s(response: Response) -> int:
    """Session-Expires of a 2xx, seconds; 0: no session timer (RFC 4028 §7.2), or none that can be read."""
    value = response.get(b"Session-Expires")
    if value is None:
        return 0
    digits = value.partition(b";")[0].strip()
    return int(digits) if digits.isdigit() and len(digits) <= MAX_DIGITS else 0
