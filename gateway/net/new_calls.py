"""INVITEs wait for everything else (DESIGN §7, overload).

A gateway that has more to do than it can does what it began first: responses, ACKs and BYEs are handled as they are
read, and INVITEs stand in a line of their own, from which each turn takes what fits into its time. So a call that is
taken waits where it begins, and not again with each of its messages, and how long it has waited is known.

While calls are shed (`proxy.overload`) the newest comes first, and whoever has waited too long is answered 503, for a
tenth of what a call costs. With more calls than can be taken somebody waits in vain in any order; in the order of
arrival everybody who is served would have waited as long as the line is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic

from gateway.net.ports import Core
from gateway.proxy.peer import Source
from gateway.sip.errors import RemoteProtocolError
from gateway.sip.parser import parse

CALLS_PER_TURN = 16
"""Some two milliseconds: between two turns sockets, replies of the store and timers have theirs. A count, and no time:
on a machine that is busy elsewhere a time runs out unused."""

LATE_PER_TURN = 64
"""Refused in one turn, as many milliseconds. They must not fill the time of a gateway that has too little."""

STALE_S = 0.5
"""T1: an INVITE that waited for longer, and came by datagram, was repeated by its sender. The newer one is handled."""

MAX_BYTES = 8 << 20
"""Octets in the line, two seconds of 5,000 calls/s. Full: the oldest is handled at once, whatever else waits."""


class NewCalls:
    """The line of one worker. Times are monotonic seconds."""

    __slots__ = ("_bytes", "_line", "_on_error")

    def __init__(self, on_error: Callable[[BaseException], None]) -> None:
        self._line: deque[tuple[bytes, Source, float]] = deque()
        self._bytes = 0
        self._on_error = on_error

    def __len__(self) -> int:
        return len(self._line)

    def put(self, data: bytes, source: Source, arrived: float, core: Core) -> bool:
        """Stand in the line; False for a message that need not."""
        if data[:7] != b"INVITE ":
            if self._line and data[:7] == b"CANCEL ":
                self._bring_forward(data, core)
            return False
        while self._bytes + len(data) > MAX_BYTES and self._line:
            self._handle(self._line.popleft(), core, monotonic())
        self._line.append((data, source, arrived))
        self._bytes += len(data)
        return True

    def waited(self, now: float) -> float:
        """Seconds that the oldest has waited; 0 where there is none."""
        return max(now - self._line[0][2], 0.0) if self._line else 0.0

    def take(self, core: Core, now: float, busy: bool) -> None:
        """Handle what fits into this turn. `busy`: messages of other kinds wait in a socket; then one call has its
        turn, so that none waits for ever."""
        line, overload = self._line, core.overload
        for _ in range(LATE_PER_TURN):
            if not line or not overload.is_late(now - line[0][2]):
                break
            self._late(line.popleft(), core, now)
        for _ in range(1 if busy else CALLS_PER_TURN):
            if not line:
                break
            self._handle(line.pop() if overload.shedding else line.popleft(), core, monotonic())

    def clear(self) -> None:
        """Nothing is handled any more."""
        self._line.clear()
        self._bytes = 0

    def _late(self, waiting: tuple[bytes, Source, float], core: Core, now: float) -> None:
        data, source, arrived = waiting
        if now - arrived < STALE_S or source.reply.reliable:
            self._handle(waiting, core, now)
        else:
            self._bytes -= len(data)
            core.counters.drop("stale-invite")

    def _handle(self, waiting: tuple[bytes, Source, float], core: Core, now: float) -> None:
        data, source, arrived = waiting
        self._bytes -= len(data)
        core.overload.waited = now - arrived
        try:
            core.receive(data, source, now)
        except Exception as error:  # one message must not stop the others
            self._on_error(error)
        core.overload.waited = 0.0

    def _bring_forward(self, cancel: bytes, core: Core) -> None:
        """A CANCEL must not overtake its INVITE."""
        try:
            call_id = parse(cancel).call_id
        except RemoteProtocolError:
            return
        for waiting in [one for one in self._line if call_id in one[0]]:
            self._line.remove(waiting)
            self._handle(waiting, core, monotonic())
