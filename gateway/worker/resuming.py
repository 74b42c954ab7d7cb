"""A worker that came back, or that stands in for another: what the journals say is taken up, once."""

from __future__ import annotations

from time import monotonic, time

from gateway.gate.gate import Gate
from gateway.gate.records import RestartRecord
from gateway.net.handover import Handover
from gateway.settings import Settings
from gateway.store.journal.recovery import Recovery
from gateway.telemetry.logs import get_logger
from gateway.telemetry.metrics import WorkerStats
from gateway.worker.gatekeeper import Gatekeeper
from gateway.worker.siblings import last_decided, leave_to_siblings

_log = get_logger(__name__)


class Resuming:
    """Of one worker."""

    def __init__(
        self,
        settings: Settings,
        index: int,
        gate: Gate,
        keeper: Gatekeeper,
        stats: WorkerStats,
        handover: Handover | None,
    ) -> None:
        """`handover`: to the other workers of the node; None: there are none."""
        self._settings = settings
        self._index = index
        self._gate = gate
        self._keeper = keeper
        self._stats = stats
        self._handover = handover
        self._recovery: Recovery | None = None
        """What the journal held, until the other workers have told what they did with it."""
        self._greeted = False

    def stand_in(self, index: int) -> None:
        """Another worker is away for long. What it has decided is not decided again."""
        _log.warning("another worker is away; its calls come here", worker=index)
        self._gate.recover(last_decided(self._settings, index), monotonic())

    def recover(self, recovery: Recovery) -> None:
        """This worker's journal was read back."""
        if self._handover is not None and not self._greeted:
            self._recovery = recovery
        else:
            self._settle(recovery)

    def take_stock(self) -> None:
        """The other workers have stopped standing in for this one: its journal and theirs say all there is."""
        self._greeted = True
        recovery, self._recovery = self._recovery, None
        if recovery is not None:
            self._settle(recovery)

    def _settle(self, recovery: Recovery) -> None:
        at = time()
        if self._handover is not None:
            pending = {one.hex() for one in self._handover.pending}
            leave_to_siblings(self._settings, self._index, recovery, pending)
        evidence = self._gate.evidence
        for decision in recovery.open_calls:
            evidence.outcome(decision, at, "lost", 0, "")
            self._stats.outcomes["", "lost"] += 1
        for decision in recovery.ended:
            evidence.note_ended(decision)
        self._keeper.take_up(recovery.answered, at)
        evidence.keep(
            evidence.encode(
                RestartRecord(
                    int(at * 1e6),
                    self._settings.node.name,
                    recovery.torn_bytes,
                    len(recovery.open_calls),
                    recovery.missing_records,
                )
            )
        )
        known = {decision: (found.verdict, found.rule, found.status) for decision, found in recovery.decided.items()}
        self._gate.recover(known, monotonic())
        self._gate.commit(at)
