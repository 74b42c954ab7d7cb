"""The highest rate a subject passes with fewer than 0.1 % failed calls: a bounded search, upwards and then between."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.deployment import CARRIER_HOST, CARRIER_PORT
from tests.bench.load import place, reached_rate
from tests.bench.subject import Subject
from tests.support.sipp import answering

ALLOWED = 0.001
"""Share of calls that may fail."""
REACHED = 0.97
"""A rate SIPp itself did not come near was not tried."""
STEP = 1.4
CEILING = 6_000.0
OVERTIME_S = 8.0
"""How much longer than planned a try may take. A call lasts half a second: what is not over by then has failed."""
MAX_TRIES = 14
SECOND_CHANCE = 2
"""Tries a rate has: the machine may have been busy with something else."""


@dataclass(slots=True)
class Try:
    """One rate tried."""

    rate: float
    reached: float
    created: int
    failed: int

    @property
    def passed(self) -> bool:
        return self.failed < ALLOWED * self.created and self.reached >= REACHED * self.rate


@dataclass(slots=True)
class Highest:
    """`rate` is what was reached at the highest rate that passed; 0 when none did."""

    subject: str
    rate: float = 0.0
    tries: list[Try] = field(default_factory=list)


def search(subject: Subject, start: float, seconds: float, resolution: float, directory: Path) -> Highest:
    """`start`: calls per second to begin at; `resolution`: how near (as a share) the highest rate that passed and the
    lowest that did not must come. The subject is not running; it is started afresh after each failure."""
    found = Highest(subject.name)
    low, high = 0.0, CEILING * STEP
    rate = start
    while len(found.tries) < MAX_TRIES and high > low * (1 + resolution):
        if _passes(subject, rate, seconds, directory, found):
            low = rate
        else:
            high = rate
        if high > CEILING and low * STEP > CEILING:
            break
        rate = low * STEP if high > CEILING else (low + high) / 2 if low else high / STEP
    return found


def _passes(subject: Subject, rate: float, seconds: float, directory: Path, found: Highest) -> bool:
    for _ in range(SECOND_CHANCE):
        with subject:
            attempt = _try(subject, rate, seconds, directory)
        found.tries.append(attempt)
        if attempt.passed:
            found.rate = max(found.rate, attempt.reached)
            return True
    return False


def _try(subject: Subject, rate: float, seconds: float, directory: Path) -> Try:
    with answering(directory, CARRIER_HOST, CARRIER_PORT):
        sipp = place(subject, rate, seconds, directory, OVERTIME_S)
        try:
            result = sipp.wait(seconds + OVERTIME_S + 5)
        except AssertionError:
            result = sipp.result()
    return Try(rate, reached_rate(sipp), result.created, result.failed + result.current)
