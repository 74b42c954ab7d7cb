"""Does a call cost more where there is more to look it up in? A gateway with few consents and ranges beside one with
many, on the same machine, measured in turn."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tests.bench.bulk import Loaded, Say, callee, callers, load_consents, load_ranges
from tests.bench.load import FailedCalls, LoadRun, measure
from tests.bench.proof import prove
from tests.bench.stores import redis_memory, table_bytes
from tests.bench.subject import REDIS
from tests.bench.subject_callgate import PATIENT, Callgate
from tests.bench.usage import resident_kb

FEW_CONSENTS, FEW_RANGES, MANY_RANGES = 10_000, 10, 100_000
SAMPLE = 100_000
"""(caller, callee) pairs of a load: more than any cache between the call and the data would hold."""
MAX_CONSENTS = 100_000_000
"""As many callees have a number in `bulk.callee`."""
WORKER = "worker"


@dataclass(slots=True)
class Step:
    """One amount of data, measured in turn with its counterpart."""

    title: str
    runs: list[LoadRun] = field(default_factory=list)

    def cost(self, *parts: str) -> float:
        """Median microseconds per call of some parts; of worker and Redis together when none is named."""
        parts = parts or (WORKER, REDIS)
        return median(run.cost(*parts).total for run in self.runs) if self.runs else float("nan")


@dataclass(slots=True)
class DataScale:
    """What was found."""

    rate: float
    steps: list[Step] = field(default_factory=list)
    loaded: list[Loaded] = field(default_factory=list)
    redis_bytes_per_consent: float = 0.0
    database_bytes_per_consent: float = 0.0
    worker_kb: dict[str, int] = field(default_factory=dict)
    """RSS of the worker with few and with many ranges."""
    refused: list[str] = field(default_factory=list)


def pairs(consents: int, ranges: int) -> list[tuple[str, str]]:
    """Calls spread evenly over all callees and all ranges."""
    count = min(SAMPLE, max(consents, ranges))
    numbers = callers(ranges, count)
    # A stride that has no factor in common with the numbers of rows: neighbours in time are no neighbours in the data.
    return [(numbers[index * 7_919 % count], callee(index * 99_991 % consents)) for index in range(count)]


def scale_data(
    directory: Path, rate: float, seconds: float, rounds: int, consents: int, say: Say, venv: Path | None = None
) -> DataScale:
    """`rounds` runs of `seconds` at `rate` of each amount of data, few and many in turn."""
    found = DataScale(rate)
    with ExitStack() as stack:
        few = stack.enter_context(Callgate(directory / "few", "few", venv=venv, env=PATIENT))
        many = stack.enter_context(Callgate(directory / "many", "many", venv=venv, env=PATIENT))
        for subject in (few, many):
            prove(subject)
            found.loaded.append(load_ranges(subject, FEW_RANGES, say))
        found.loaded.append(load_consents(few, 0, FEW_CONSENTS, say))
        before = redis_memory(many).used, table_bytes(many, "consents")
        found.loaded.append(load_consents(many, 0, consents, say))
        found.redis_bytes_per_consent = (redis_memory(many).used - before[0]) / consents
        found.database_bytes_per_consent = (table_bytes(many, "consents") - before[1]) / consents
        small = pairs(FEW_CONSENTS, FEW_RANGES)
        base = Step(f"{FEW_CONSENTS:,} consents, {FEW_RANGES} ranges")
        more = Step(f"{consents:,} consents, {FEW_RANGES} ranges")
        _in_turn(found, few, base, small, many, more, pairs(consents, FEW_RANGES), seconds, rounds, say)
        found.worker_kb["few ranges"] = subject_kb(many)
        found.loaded.append(load_ranges(many, MANY_RANGES, say))
        again = Step(base.title + ", again")
        ranges = Step(f"{consents:,} consents, {MANY_RANGES:,} ranges")
        _in_turn(found, few, again, small, many, ranges, pairs(consents, MANY_RANGES), seconds, rounds, say)
        found.worker_kb["many ranges"] = subject_kb(many)
    return found


def subject_kb(subject: Callgate) -> int:
    """RSS of the workers."""
    return resident_kb(subject.groups()[WORKER])[0]


def _in_turn(
    found: DataScale,
    few: Callgate,
    base: Step,
    small: Sequence[tuple[str, str]],
    many: Callgate,
    step: Step,
    large: Sequence[tuple[str, str]],
    seconds: float,
    rounds: int,
    say: Say,
) -> None:
    found.steps += [base, step]
    for turn in range(rounds):
        order = [(few, base, small), (many, step, large)]
        for subject, current, numbers in order if turn % 2 == 0 else reversed(order):
            place = subject.directory / f"load-{len(found.steps)}-{turn}"
            try:
                run = measure(subject, found.rate, seconds, subject.warm_s, place, numbers)
            except FailedCalls as error:
                found.refused.append(str(error))
                say(f"not reported: {error}")
                continue
            current.runs.append(run)
            own, redis = run.cost(WORKER).total, run.cost(REDIS).total
            say(f"{current.title}: {own:.0f} us per call + {redis:.0f} in Redis, {run.others:.2f} CPUs busy elsewhere")
