"""What other workers' journals say about calls of this one's, or of one it stands in for (`net.handover`).

Each decision is in the journal of one worker. Where a worker was away for so long that another stood in for it, both
look into the other's journal, read-only, so that no decision is recorded twice and no call ends twice.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from time import time

from gateway.settings import Settings
from gateway.store.journal.recovery import Recovery, read_back, read_tail
from gateway.telemetry.logs import get_logger
from gateway.worker.journal import RECOVER_SECONDS, journal_of

LAST_BYTES = 1 << 20
"""Of the journal of a worker that died, when another stands in: only an INVITE whose 100 was not sent or got lost comes
again, so its decision is among the last. More than 1,000 decisions; some 10 ms to read."""

_log = get_logger(__name__)


def last_decided(settings: Settings, index: int) -> dict[str, tuple[str, str, int]]:
    """The last verdicts of worker `index`: decision id to (verdict, rule, status)."""
    found = Recovery()
    try:
        read_tail(journal_of(settings, index), LAST_BYTES, found)
    except OSError as error:
        _log.warning("the journal of a worker that is away cannot be read", worker=index, reason=str(error))
    return {decision: (one.verdict, one.rule, one.status) for decision, one in found.decided.items()}


def leave_to_siblings(
    settings: Settings, index: int, recovery: Recovery, pending: AbstractSet[str] = frozenset()
) -> None:
    """Take out of `recovery` what others did with calls of this journal since its last record: ended them, or told
    their outcome. `pending`: decision ids of those that they are setting up."""
    last = max((one.at for one in recovery.decided.values()), default=int((time() - RECOVER_SECONDS) * 1e6))
    for other in range(settings.node.workers):
        directory = journal_of(settings, other)
        if other == index or not directory.is_dir():
            continue
        found = Recovery()
        try:
            read_back(directory, last, found)
        except OSError as error:
            _log.warning("the journal of another worker cannot be read", worker=other, reason=str(error))
        for decision in found.ended:
            recovery.answered.pop(decision, None)
        recovery.ended |= found.ended
        recovery.open_calls -= found.ended | found.settled
    recovery.open_calls -= pending
