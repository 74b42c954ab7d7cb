"""The order of things: each subject alone on the machine, in alternating order, at equal rates, on the same scenario.

1. `runs` times, in alternating order: start, prove that it gates, measure at every rate, stop.
2. The highest rate of each.
3. `runs` times, in alternating order: added post-dial delay at half the lowest of the gates' highest rates.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from tests.bench.delay import LAST_S, WARM_S, DelayResult
from tests.bench.deployment import ROOT
from tests.bench.highest import Highest, search
from tests.bench.load import FailedCalls, LoadRun, idle, measure
from tests.bench.proof import prove
from tests.bench.subject import REDIS, Subject

IDLE_S = 3.0
DELAY_RATE = 250.0
"""Calls per second of the delay runs where no highest rate was looked for."""
TRIES = 2
"""A run with failed calls is repeated once; then its figure is missing."""

T = TypeVar("T")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    runs: int = 5
    rates: tuple[float, ...] = (200.0, 500.0, 1_000.0)
    seconds: float = 20.0
    warm: bool = True
    """False: no time for the timers' share of the work; the figures are then a few percent too low."""
    highest_s: float = 10.0
    """Seconds of each try of the search; 0: no search."""
    highest_from: float = 1_000.0
    """Calls per second the search begins at."""
    confirm_s: float = 40.0
    """Seconds of the long try of the rate found: more than the 32 s that transactions stay."""
    resolution: float = 0.05
    delay_s: float = 10.0
    """Seconds of each delay run; 0: none."""


@dataclass(slots=True)
class Measured:
    """Everything that was measured of one subject."""

    name: str
    about: str
    gates: bool
    proved: list[str] = field(default_factory=list)
    idle_ms: list[dict[str, float]] = field(default_factory=list)
    """Milliseconds of processor time per second of each part, with no calls."""
    loads: list[LoadRun] = field(default_factory=list)
    highest: Highest | None = None
    delays: list[DelayResult] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Runs that are not reported, and why."""


def alternating(subjects: Sequence[Subject], runs: int) -> Iterator[tuple[int, Subject]]:
    """Forwards, backwards, forwards …"""
    for run in range(runs):
        for subject in subjects if run % 2 == 0 else reversed(subjects):
            yield run, subject


def run_macro(subjects: Sequence[Subject], plan: Plan, directory: Path, say: Say) -> list[Measured]:
    """Run the whole plan. `say` gets a line for each step."""
    found = {subject.name: Measured(subject.name, subject.describe(), subject.gates) for subject in subjects}
    for run, subject in alternating(subjects, plan.runs):
        with subject:
            measured = found[subject.name]
            measured.proved = prove(subject)
            measured.idle_ms.append(idle(subject, IDLE_S))
            for rate in plan.rates:
                place = directory / f"{subject.name}-{run}-{rate:g}"
                done = _with_second_try(subject, partial(_load, subject, rate, plan, place), measured, say)
                if done is not None:
                    measured.loads.append(done)
                    say(
                        f"run {run + 1}/{plan.runs} {subject.name} at {rate:g}/s: {done.cost().total:.0f} us per call"
                        f" + {done.cost(REDIS).total:.0f} in Redis; {done.retransmissions} repeats,"
                        f" {done.others:.2f} CPUs busy elsewhere"
                    )
    if plan.highest_s:
        _highest(subjects, plan, directory, found, say)
    if plan.delay_s:
        _delays(subjects, plan, found, say)
    return list(found.values())


def _load(subject: Subject, rate: float, plan: Plan, directory: Path) -> LoadRun:
    return measure(subject, rate, plan.seconds, subject.warm_s if plan.warm else 2.0, directory)


def _highest(
    subjects: Sequence[Subject], plan: Plan, directory: Path, found: dict[str, Measured], say: Say
) -> None:
    for subject in subjects:
        where = directory / f"{subject.name}-highest"
        highest = search(subject, plan.highest_from, plan.highest_s, plan.confirm_s, plan.resolution, where)
        found[subject.name].highest = highest
        tried = ", ".join(
            f"{done.rate:.0f} for {done.seconds:g} s{'' if done.passed else ' failed'}" for done in highest.tries
        )
        say(f"highest rate of {subject.name}: {highest.rate:.0f}/s (tried {tried})")


def delay_rate(measured: Sequence[Measured]) -> float:
    """Half the lowest of the gates' highest rates: the same for all."""
    rates = [entry.highest.rate for entry in measured if entry.gates and entry.highest is not None]
    passed = [rate for rate in rates if rate]
    return min(passed) / 2 if passed else DELAY_RATE


def _delays(subjects: Sequence[Subject], plan: Plan, found: dict[str, Measured], say: Say) -> None:
    rate = delay_rate(list(found.values()))
    for run, subject in alternating(subjects, plan.runs):
        with subject:
            measured = found[subject.name]
            work = partial(measure_delay, subject, rate, plan.delay_s, run + 1)
            done = _with_second_try(subject, work, measured, say)
            if done is not None:
                measured.delays.append(done)
                say(
                    f"run {run + 1}/{plan.runs} {subject.name} at {rate:.0f}/s: delay p50 {done.p50_us:.0f},"
                    f" p95 {done.p95_us:.0f}, p99 {done.p99_us:.0f} us"
                )


def measure_delay(subject: Subject, rate: float, seconds: float, seed: int) -> DelayResult:
    """One run of `tests.bench.delay`, in a process of its own. Raises FailedCalls."""
    host, port = subject.address
    command = [sys.executable, "-m", "tests.bench.delay", host, str(port), str(rate), str(seconds), str(seed)]
    shown = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=WARM_S + seconds + LAST_S + 30
    )
    result = DelayResult(**json.loads(shown.stdout))
    if result.failed:
        raise FailedCalls(f"{subject.name} at {rate:.0f}/s, delay: {result.failed} of {result.calls} calls failed")
    return result


def _with_second_try(subject: Subject, work: Callable[[], T], measured: Measured, say: Say) -> T | None:
    for _ in range(TRIES):
        try:
            return work()
        except (AssertionError, subprocess.SubprocessError) as error:
            measured.refused.append(str(error))
            say(f"not reported: {error}")
        # Nothing of a run that failed may reach into the next.
        subject.stop()
        subject.start()
    return None


def machine() -> dict[str, object]:
    """What it was measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    return {
        "cpus": os.cpu_count(),
        "model": model,
        "kernel": os.uname().release,
        "python": sys.version.split()[0],
        "load_average": os.getloadavg(),
    }


def as_json(measured: Sequence[Measured], plan: Plan) -> dict[str, object]:
    """Everything, run by run."""
    return {"machine": machine(), "plan": asdict(plan), "subjects": [asdict(entry) for entry in measured]}
