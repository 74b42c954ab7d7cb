"""Does a call cost more where more calls are up, what memory does one take, and does it come back?"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.bulk import Say
from tests.bench.deployment import CARRIER_HOST, CARRIER_PORT
from tests.bench.load import FailedCalls, LoadRun, measure, place
from tests.bench.proof import prove
from tests.bench.scale_data import WORKER, subject_kb
from tests.bench.subject import REDIS
from tests.bench.subject_callgate import PATIENT, Callgate
from tests.support.sipp import Sipp, answering

FULL_S = 60.0
"""Seconds of load at the full rate: the tables are as full as they get after 33 s."""
HOLD_S = 120.0
"""Seconds for which all calls are up."""
REST_S = 60.0
"""Seconds after the last call: all timers have run out, and objects are collected (every 30 s)."""
TIMERS_S = 33.0
"""From the set-up of a call until nothing but the call itself is remembered."""
LOWER = 0.75
"""A full rate with failed calls is lowered to this share of it."""
TRIES = 4
IN_MEMORY_S = 32.5
"""How long a call of half a second is in the tables: until timer J of its BYE."""
TARGET_BYTES = 6 * 1024
"""Bytes a call may take."""


@dataclass(slots=True)
class CallScale:
    """Memory in kB of RSS of the worker, costs at `rate`."""

    rate: float
    held: int
    alone: LoadRun | None = None
    """With few calls up."""
    beside: LoadRun | None = None
    """With `held` calls up."""
    full_rate: float = 0.0
    kb: dict[str, int] = field(default_factory=dict)
    """By moment, in order."""
    transactions: float = 0.0
    """At the full rate, at its end."""
    active: float = 0.0
    """Calls up that the worker knew while they were held."""
    failed_held: int = 0
    refused: list[str] = field(default_factory=list)

    @property
    def bytes_in_flight(self) -> float:
        """Per call whose transactions are in memory, at the full rate: an upper bound."""
        calls = self.full_rate * IN_MEMORY_S
        return (self.kb["full rate"] - self.kb["fresh"]) * 1024 / calls if calls else float("nan")

    @property
    def bytes_up(self) -> float:
        """Per call that is up: an upper bound, for what their set-up took is not all given back by then."""
        held = self.kb.get("held")
        return float("nan") if held is None else (held - self.kb["fresh"]) * 1024 / self.held

    @property
    def left_kb(self) -> int:
        """What is left after everything, beside a fresh worker."""
        return self.kb["after"] - self.kb["fresh"]


def scale_calls(
    directory: Path, rate: float, seconds: float, full_rate: float, held: int, say: Say, venv: Path | None = None
) -> CallScale:
    """The whole course, about ten minutes: `held` calls up, at rest, load at `rate`, at the full rate, at rest."""
    found = CallScale(rate, held)
    with Callgate(directory / "calls", "calls", venv=venv, env=PATIENT) as subject:
        prove(subject)
        _note(found, "fresh", subject, say)
        _hold(found, subject, seconds, directory, say)
        time.sleep(REST_S)
        _note(found, "at rest", subject, say)
        found.alone = _cost(found, subject, seconds, directory, None, say)
        for attempt in range(TRIES):
            try:
                _full(found, subject, full_rate, directory / f"full-{attempt}", say)
                break
            except FailedCalls as error:
                found.refused.append(str(error))
                say(f"not reported: {error}")
                full_rate *= LOWER
                time.sleep(TIMERS_S)
        time.sleep(REST_S)
        _note(found, "after", subject, say)
    return found


def _note(found: CallScale, moment: str, subject: Callgate, say: Say) -> None:
    found.kb[moment] = subject_kb(subject)
    say(f"worker, {moment}: {found.kb[moment] / 1024:.1f} MB")


def _cost(
    found: CallScale, subject: Callgate, seconds: float, directory: Path, carrier: Sipp | None, say: Say
) -> LoadRun | None:
    try:
        where = directory / ("beside" if carrier else "alone")
        run = measure(subject, found.rate, seconds, subject.warm_s, where, running=carrier)
    except FailedCalls as error:
        found.refused.append(str(error))
        say(f"not reported: {error}")
        return None
    own, redis = run.cost(WORKER).total, run.cost(REDIS).total
    up = subject.metric("callgate_active_calls")
    say(f"{up:,.0f} calls up: {own:.0f} us per call in the worker + {redis:.0f} in Redis")
    return run


def _full(found: CallScale, subject: Callgate, rate: float, directory: Path, say: Say) -> None:
    with answering(directory, CARRIER_HOST, CARRIER_PORT) as carrier:
        sipp = place(subject, rate, FULL_S, directory)
        try:
            # The worker is at its fullest in the last second of the load.
            time.sleep(FULL_S - 1)
            found.kb["full rate"] = subject_kb(subject)
            found.transactions = subject.metric("callgate_transactions")
            result = sipp.wait(30)
        except AssertionError as error:
            raise FailedCalls(str(error)[:300]) from None
        finally:
            sipp.stop()
        failed = result.failed + result.current + carrier.result().failed
    if failed:
        raise FailedCalls(f"{rate:.0f}/s for {FULL_S:g} s: {failed} of {result.created} calls failed")
    found.full_rate = rate
    say(f"worker, at {rate:.0f}/s: {found.kb['full rate'] / 1024:.1f} MB, {found.transactions:,.0f} transactions")


def _hold(found: CallScale, subject: Callgate, seconds: float, directory: Path, say: Say) -> None:
    ramp = found.held / found.rate
    up_s = ramp + TIMERS_S + max(HOLD_S, subject.warm_s + seconds + 15)
    with answering(directory / "held", CARRIER_HOST, CARRIER_PORT, limit=found.held * 2) as carrier:
        sipp = place(
            subject, found.rate, ramp, directory / "held", overtime_s=2 * up_s + 60, pause_ms=round(up_s * 1000),
            most_up=found.held + 1,
        )  # fmt: skip
        try:
            time.sleep(ramp + TIMERS_S + 2)
            found.active = subject.metric("callgate_active_calls")
            _note(found, "held", subject, say)
            say(f"{found.active:,.0f} of {found.held:,} calls are up")
            found.beside = _cost(found, subject, seconds, directory, carrier, say)
            result = sipp.wait(up_s + 60)
        except AssertionError as error:
            found.refused.append(f"{found.held} calls held up: {str(error)[:300]}")
            result = sipp.result()
        finally:
            sipp.stop()
        found.failed_held = result.failed + result.current + carrier.result().failed
