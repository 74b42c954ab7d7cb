"""What a worker does at the end of each turn of its edge, before anything leaves (DESIGN §1)."""

from __future__ import annotations

from collections.abc import Callable

from gateway.gate.gate import Gate
from gateway.net.edge import Edge
from gateway.proxy.overload import Overload
from gateway.worker.gatekeeper import Gatekeeper


class TurnEnd:
    """Questions leave together, admission control learns how long messages waited, verdicts are recorded and act."""

    __slots__ = ("_edge", "_flush", "_gate", "_keeper", "_overload")

    def __init__(
        self, flush: Callable[[], None], gate: Gate, keeper: Gatekeeper, edge: Edge, overload: Overload | None
    ) -> None:
        """`flush`: of the lookup. `overload`: None where calls are never shed."""
        self._flush = flush
        self._gate = gate
        self._keeper = keeper
        self._edge = edge
        self._overload = overload

    def run(self, now: float) -> None:
        """`Edge.before_send`."""
        self._flush()
        if self._overload is not None:
            edge = self._edge
            self._overload.observe(now, edge.lag.at(now), self._gate.parked, edge.calls.waited(now))
        self._keeper.before_send(now)
