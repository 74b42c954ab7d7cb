"""What a worker does once a second beside its calls."""

from __future__ import annotations

import asyncio
import gc
from time import monotonic, time
from typing import TYPE_CHECKING

from gateway.telemetry.logs import get_logger
from gateway.worker.ebb import Ebb, give_back

if TYPE_CHECKING:
    from gateway.worker.main import Worker

HOUSEKEEPING_S = 1.0

GC_THRESHOLDS = (2_000, 1_000_000, 1_000_000)
"""Messages and transactions are freed by their reference counts. Only what is young is looked at under load: with
16,000 finished calls in the tables, a collection of the rest was measured to stop the loop for 40 ms."""

GC_IDLE_TRANSACTIONS = 500
"""With fewer transactions than this, everything can be collected in about a millisecond."""

GC_EVERY = 30
"""Seconds between two such collections."""

_log = get_logger(__name__)


class Housekeeping:
    """Of one worker."""

    def __init__(self, worker: Worker, loop: asyncio.AbstractEventLoop) -> None:
        self._worker = worker
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._counted_since = 0
        self._ebb = Ebb()
        self._seconds = 0
        """Rounds so far."""

    def start(self) -> None:
        """The first round is a second from now. What is there already is never collected."""
        self._timer = self._loop.call_later(HOUSEKEEPING_S, self._round)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)

    def cancel(self) -> None:
        """No more rounds."""
        if self._timer is not None:
            self._timer.cancel()

    def _round(self) -> None:
        self._timer = self._loop.call_later(HOUSEKEEPING_S, self._round)
        worker = self._worker
        worker.journal.check()
        worker.elsewhere.read()
        worker.key_watch.look(time())
        worker.keeper.expire_calls(monotonic())
        since, self._counted_since = self._counted_since, worker.gate.counted_since_ms
        if 0 < since < self._counted_since:
            _log.warning("redis has lost its counters; calls are counted anew", since_ms=self._counted_since)
        worker.edge.end_turn(monotonic())
        self._seconds += 1
        self._tidy()

    def _tidy(self) -> None:
        """Collect what reference counts do not free, and give back memory when the load has gone down."""
        worker = self._worker
        layer = worker.core.layer
        transactions = len(layer.servers) + len(layer.clients)
        idle = transactions < GC_IDLE_TRANSACTIONS
        if self._ebb.has_fallen(transactions):
            worker.core.shrink()
            worker.keeper.shrink()
            if idle:
                gc.collect()
            worker.core.counters.gather()
            worker.gate.gather()
            worker.stats.gather()
            give_back()
        elif idle and self._seconds % GC_EVERY == 0:
            gc.collect()
