"""The highest rate a subject passes with fewer than 0.1 % failed calls: a bounded search, upwards and then between.

Socket buffers take in seconds of calls that are answered late: a rate passes only if its last calls end on time, too.
A short try does not see what a full table of transactions costs, so the rate found is confirmed by a long one, or
lowered.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.deployment import CARRIER_HOST, CARRIER_PORT
from tests.bench.load import PAUSE_MS, place, reached_rate
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
LATE_S = 1.5
"""How late the last call may end: SIPp's own start and a moment."""
MAX_TRIES = 14
MAX_LOWERED = 6
"""Times an unconfirmed rate is lowered by the resolution."""
SECOND_CHANCE = 2
"""Tries a rate has: the machine may have been busy with something else."""


@dataclass(slots=True)
class Try:
    """One rate tried."""

    rate: float
    reached: float
    seconds: float
    created: int
    failed: int
    late_s: float
    """How long after the last call should have ended it did."""

    @property
    def passed(self) -> bool:
        kept_up = self.reached >= REACHED * self.rate and self.late_s <= LATE_S
        return kept_up and self.failed < ALLOWED * self.created


@dataclass(slots=True)
class Highest:
    """`rate` is what was reached in the long try at the highest rate that passed; 0 when none did."""

    subject: str
    rate: float = 0.0
    tries: list[Try] = field(default_factory=list)


def search(
    subject: Subject, start: float, seconds: float, confirm_s: float, resolution: float, directory: Path
) -> Highest:
    """`start`: calls per second to begin at; `confirm_s`: seconds of the long try; `resolution`: how near (as a share)
    the highest rate that passed and the lowest that did not must come. The subject is started afresh for each try."""
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
    for _ in range(MAX_LOWERED):
        if not low or _passes(subject, low, confirm_s, directory, found):
            break
        low /= 1 + resolution
    found.rate = max((done.reached for done in found.tries if done.passed and done.seconds == confirm_s), default=0.0)
    return found


def _passes(subject: Subject, rate: float, seconds: float, directory: Path, found: Highest) -> bool:
    for _ in range(SECOND_CHANCE):
        with subject:
            found.tries.append(_try(subject, rate, seconds, directory))
        if found.tries[-1].passed:
            return True
    return False


def _try(subject: Subject, rate: float, seconds: float, directory: Path) -> Try:
    with answering(directory, CARRIER_HOST, CARRIER_PORT):
        began = time.monotonic()
        sipp = place(subject, rate, seconds, directory, OVERTIME_S)
        try:
            result = sipp.wait(seconds + OVERTIME_S + 5)
        except AssertionError:
            result = sipp.result()
        late_s = time.monotonic() - began - seconds - PAUSE_MS / 1000
    return Try(rate, reached_rate(sipp), seconds, result.created, result.failed + result.current, late_s)
