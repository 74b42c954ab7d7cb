"""One attempt on its way through the gate, and the counters it adds to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from gateway.gate.decision import Verdict
from gateway.gate.engine import Engine
from gateway.registry.registry import Registry
from gateway.store.ports import Counting

NOT_ASKED: Final = "-"
"""Of a call whose trunks have no limits."""

Deliver = Callable[[Verdict], None]


class Observer(Protocol):
    """A histogram."""

    def observe(self, seconds: float) -> None:
        """Count one value."""
        ...


class Counts(Protocol):
    """The counters the gate adds to."""

    calls: dict[tuple[str, str, str, str], int]
    """By trunk, direction, verdict and rule."""
    shadow: dict[str, int]
    journal_errors: int

    @property
    def decision(self) -> Observer:
        """INVITE received to verdict."""
        ...

    @property
    def lookup(self) -> Observer:
        """Question to the store to its answer."""
        ...


class Waiting:
    """Registry and pack are those in force when the attempt arrived: versions never mix in one decision."""

    __slots__ = (
        *("asked_at", "channels", "counted", "counting", "deliver", "engine", "lookup_us", "on_memory", "operator"),
        *("party", "received_at", "registry", "repeated", "restricted", "shadow", "source", "unsettled", "verdict"),
    )

    def __init__(
        self, engine: Engine, registry: Registry, received_at: float, source: str, party: bytes, deliver: Deliver
    ) -> None:
        self.engine = engine
        self.registry = registry
        self.received_at = received_at
        """Monotonic seconds."""
        self.source = source
        self.party = party
        """Keyed hash of the subscriber's number; empty for none."""
        self.deliver = deliver
        self.shadow: list[str] = []
        self.asked_at = 0.0
        self.counting: Counting | None = None
        """What was asked to be counted."""
        self.counted = True
        """It may have been: an answer that never came says nothing."""
        self.channels: str | None = NOT_ASKED
        """Why there is no channel for it; empty: there is one. None: that is asked."""
        self.unsettled: Callable[[], None] | None = None
        """What is left to do once that is known: the rules let the call pass."""
        self.on_memory = 0
        """How many of `shadow` are the words of rules on memory."""
        self.operator = 0
        """Number of the operator the store was asked for."""
        self.restricted = 0
        """`LiveRestrictions.changes` when the rules on memory were asked."""
        self.lookup_us = 0
        self.verdict: Verdict | None = None
        self.repeated = False
        """The verdict is in the journal since before the worker died: no second record, not counted again."""


def deliver(ready: list[Waiting]) -> None:
    """Tell the callers their verdicts. One that raises does not leave the others untold: the first exception is raised
    once all were told."""
    fault: Exception | None = None
    for waiting in ready:
        if waiting.verdict is not None:
            try:
                waiting.deliver(waiting.verdict)
            except Exception as error:
                fault = fault or error
    if fault is not None:
        raise fault
