"""What a worker does at the end of each turn of its edge, before anything leaves (DESIGN §1)."""

from __future__ import annotations

from collections.abc import Callable

from gateway.gate.gate import Gate
from gateway.net.lag import Lag
from gateway.proxy.overload import Overload
from gateway.worker.gatekeeper import Gatekeeper


class TurnEnd:
    """Questions leave together, admission control learns how long messages waited, verdicts are recorded and act."""

    __slots__ = ("_flush", "_gate", "_keeper", "_lag", "_overload")

    def __init__(
        self, flush: Callable[[], None], gate: Gate, keeper: Gatekeeper, lag: Lag, overload: Overload | None
    ) -> None:
        """`flush`: of the lookup. `overload`: None where calls are never shed."""
        self._flush = flush
        self._gate = gate
        self._keeper = keeper
        self._lag = lag
        self._overload = overload

    def run(self, now: float) -> None:
        """`Edge.before_send`."""
        self._flush()
        if self._overload is not None:
            self._overload.observe(now, self._lag.at(now), self._gate.parked)
        self._keeper.before_send(now)
