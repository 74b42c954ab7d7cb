"""A call's channels: asked for in the turn of its question to the store, given back where it is refused (DESIGN §6)."""

from __future__ import annotations

from functools import partial

from gateway.gate.attempt import CallAttempt
from gateway.gate.waiting import NOT_ASKED, Waiting
from gateway.store.ports import CallChannels, TrunkLimit


class Lines:
    """Of the trunks that have limits. Calls of others are not touched by it."""

    __slots__ = ("_channels",)

    def __init__(self, channels: CallChannels) -> None:
        self._channels = channels

    def take(self, waiting: Waiting, attempt: CallAttempt, decision: str) -> None:
        """Ask for a channel of the trunk a call comes by, and of the first it may leave by."""
        limits = [
            TrunkLimit(trunk.id, trunk.channels, trunk.cps)
            for trunk in (attempt.trunk, *attempt.routes[:1])
            if trunk.channels or trunk.cps
        ]
        if limits:
            waiting.channels = None
            self._channels.take(decision, limits, attempt.facts.at, partial(self._known, waiting, decision))

    def _known(self, waiting: Waiting, decision: str, why: str) -> None:
        waiting.channels = why
        unsettled, waiting.unsettled = waiting.unsettled, None
        if unsettled is not None:
            unsettled()
        elif waiting.verdict is not None:
            self.give_back(waiting, decision)

    def give_back(self, waiting: Waiting, decision: str) -> None:
        """A call that was refused holds no channel."""
        if waiting.channels == "":
            self._channels.release(decision)
            waiting.channels = NOT_ASKED
