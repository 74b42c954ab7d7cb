"""Timer values of RFC 3261 table 4 and RFC 6026, and one queue for all running timers.

The machines use only about a dozen different durations, so the queue keeps one FIFO per timer and duration: what is
started later with the same duration also ends later, and starting a timer is two appends, deadline and owner, for a
call has half a dozen of them and a tuple each would double their size. Nothing is ever removed early: a timer that
fires in a state that does not know it is ignored by the machine's table.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final, Protocol

# Timer names. The names are RFC 3261's letters; C is the proxy's (§16.6 step 11), FIRST_RESPONSE and WAKE are ours.
TIMER_A: Final = 0
TIMER_B: Final = 1
TIMER_D: Final = 2
TIMER_E: Final = 3
TIMER_F: Final = 4
TIMER_G: Final = 5
TIMER_H: Final = 6
TIMER_I: Final = 7
TIMER_J: Final = 8
TIMER_K: Final = 9
TIMER_L: Final = 10
TIMER_M: Final = 11
TIMER_C: Final = 12
TIMER_FIRST_RESPONSE: Final = 13
TIMER_CANCELLED: Final = 14

NEVER: Final = float("inf")

MAX_DURATIONS: Final = 64
"""Queues of one timer kept before empty ones are cleared away: more than its durations and their doublings."""

TIMER_NAMES: Final = ("A", "B", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "C", "first response", "cancelled")


class TimerValues:
    """Durations in seconds, derived from T1, T2 and T4 (RFC 3261 §17.1.1.1)."""

    __slots__ = ("c", "first_response", "t1", "t2", "t4", "timeout")

    def __init__(
        self,
        t1: float = 0.5,
        t2: float = 4.0,
        t4: float = 5.0,
        c: float = 180.0,
        first_response: float = 4.0,
    ) -> None:
        self.t1 = t1
        self.t2 = t2
        self.t4 = t4
        self.timeout = 64 * t1
        """Timers B, D, F, H, J, L and M: RFC 3261 asks D > 32 s only on unreliable transports, which 64*T1 is."""
        self.c = c
        """Timer C must be larger than 3 minutes (RFC 3261 §16.6 step 11)."""
        self.first_response = first_response
        """Time a next hop has for its first response before the next one is tried (DESIGN §5)."""


class Expiring(Protocol):
    """Whatever a timer belongs to."""

    def timer_fired(self, timer: int, now: float) -> None:
        """`timer` (one of the names above) ran out."""


class TimerQueue:
    """All running timers. `start` and `expire` are given the monotonic time; it must never go back."""

    __slots__ = ("_queues", "earliest")

    def __init__(self) -> None:
        self._queues: list[dict[float, deque[Any]]] = [{} for _ in TIMER_NAMES]
        """By timer, then by duration: deadline and owner, one after the other."""
        self.earliest = NEVER
        """No timer runs out before this instant (NEVER: none runs). The shell wakes up by it."""

    def start(self, delay: float, now: float, owner: Expiring, timer: int) -> None:
        """Call `owner.timer_fired(timer, …)` once, `delay` seconds after `now`."""
        queues = self._queues[timer]
        queue = queues.get(delay)
        if queue is None:
            queue = queues[delay] = deque()
        deadline = now + delay
        queue.append(deadline)
        queue.append(owner)
        if deadline < self.earliest:
            self.earliest = deadline

    def expire(self, now: float) -> int:
        """Fire everything due at `now`; returns how many fired."""
        fired = 0
        earliest = NEVER
        self.earliest = NEVER
        try:
            for timer, queues in enumerate(self._queues):
                if not queues:
                    continue
                for queue in tuple(queues.values()):
                    while queue:
                        deadline: float = queue[0]
                        if deadline > now:
                            if deadline < earliest:
                                earliest = deadline
                            break
                        queue.popleft()
                        owner: Expiring = queue.popleft()
                        owner.timer_fired(timer, now)
                        fired += 1
        except BaseException:
            self.earliest = now  # one owner failed: the others' timers must still run
            raise
        if earliest < self.earliest:  # timers started by what fired have lowered it already
            self.earliest = earliest
        # Odd durations (the rest of a Timer C that was pushed back) would otherwise leave empty queues behind.
        for queues in self._queues:
            if len(queues) > MAX_DURATIONS:
                for delay in [d for d, q in queues.items() if not q]:
                    del queues[delay]
        return fired

    def __len__(self) -> int:
        return sum(len(queue) // 2 for queues in self._queues for queue in queues.values())
