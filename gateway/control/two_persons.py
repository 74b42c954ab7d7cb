"""What takes two persons: the words for it, and the refusals. Who counts as two: `store.sql.persons`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.registry.issues import Record
from gateway.registry.openings import Opening
from gateway.registry.papers_check import activation
from gateway.store.ports import Conflict


@dataclass(frozen=True, slots=True)
class By:
    """Who makes a change, why, and who else agreed (known from an approval alone)."""

    principal: str
    reason: str = ""
    approver: str = ""


class SecondPersonNeeded(Conflict):
    """The change opens outbound calls: it needs a reason, and another person than the one who asks."""


class NotInOrder(Conflict):
    """Papers keep a subject from being opened; the text lists all that is missing."""


def require_second(by: By, what: str) -> None:
    """Raises SecondPersonNeeded without a reason, or without another principal."""
    if not by.reason:
        raise SecondPersonNeeded(f"reason: '': {what}: say why")
    if not by.approver or by.approver == by.principal:
        raise SecondPersonNeeded(f"{what}: takes a second person beside {by.principal}: {ASK}")


ASK = "ask for approval (--ask on the command line; by the API, the routes that answer 202)"


def require_papers(record: Record, found: Sequence[Opening], now: float) -> None:
    """Raises NotInOrder with everything that is missing for what is to be opened."""
    missing: dict[str, None] = {}
    for one in found:
        for issue in activation(record, one.kind, one.subject, max(now, one.at)):
            missing[str(issue)] = None
    if missing:
        raise NotInOrder("; ".join(missing))
