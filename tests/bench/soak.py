"""Hours of calls at one rate: does anything grow, does any call fail?

Memory, descriptors and threads of each process of Callgate and what its worker counts are sampled every ten seconds.
The first third of the time fills everything that is bounded by a number of calls; the verdict compares the middles of
the second and of the last third.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tests.bench.bulk import Say
from tests.bench.deployment import CARRIER_HOST, CARRIER_PORT
from tests.bench.load import Row, place, rows
from tests.bench.proof import prove
from tests.bench.subject import POSTGRES
from tests.bench.subject_callgate import Callgate
from tests.bench.usage import PROC, resident_kb
from tests.support.sipp import answering

EVERY_S = 10.0
GROWTH_SHARE, GROWTH_KB = 0.02, 2_048
"""A part is flat where its memory grew by less than one of these, between the middles of two thirds."""
GROWTH_DESCRIPTORS = 8
"""Connections of pools come and go."""
COUNTED = (
    "callgate_active_calls",
    "callgate_transactions",
    "callgate_journal_backlog_records",
    "callgate_lookup_failures_total",
    "callgate_errors_total",
    "callgate_sip_retransmissions_total",
)


@dataclass(slots=True)
class Part:
    """One part's processes at one moment."""

    rss_kb: int
    descriptors: int
    threads: int


@dataclass(slots=True)
class Sample:
    """Everything at one moment, `at` seconds after the start."""

    at: float
    created: int
    failed: int
    parts: dict[str, Part]
    counted: dict[str, float]


@dataclass(slots=True)
class Soak:
    """What was seen."""

    rate: float
    minutes: float
    samples: list[Sample] = field(default_factory=list)
    created: int = 0
    failed: int = 0
    verdict: list[str] = field(default_factory=list)
    """What grew or failed; empty: flat."""

    def third(self, number: int) -> list[Sample]:
        """The samples of the first (0), second or last third."""
        size = len(self.samples) // 3
        return self.samples[number * size : (number + 1) * size]

    def growth(self, part: str, name: str) -> tuple[float, float]:
        """(median of the second third, of the last) of one value of a part."""
        second, last = (
            median([getattr(sample.parts[part], name) for sample in self.third(number) if part in sample.parts] or [0])
            for number in (1, 2)
        )
        return float(second), float(last)


def soak(directory: Path, rate: float, minutes: float, say: Say, venv: Path | None = None) -> Soak:
    """Run it. Raises nothing for failed calls: they are in the verdict."""
    found = Soak(rate, minutes)
    seconds = minutes * 60
    with Callgate(directory / "soak", "soak", venv=venv) as subject:
        prove(subject)
        with answering(directory, CARRIER_HOST, CARRIER_PORT, timeout_s=round(seconds) + 120) as carrier:
            sipp = place(subject, rate, seconds, directory)
            began = time.monotonic()
            try:
                for at in _ticks(began, seconds):
                    counts = rows(sipp)
                    found.samples.append(_sample(subject, at, counts[-1] if counts else Row(0.0, 0, 0)))
                    say(_line(found.samples[-1]))
                    if sipp.process.poll() is not None:
                        break
                result = sipp.wait(60)
            except AssertionError as error:
                found.verdict.append(str(error)[:300])
                result = sipp.result()
            finally:
                sipp.stop()
            found.created, found.failed = result.created, result.failed + result.current + carrier.result().failed
    found.verdict += _verdict(found)
    return found


def _ticks(began: float, seconds: float) -> Iterator[float]:
    """Seconds since the start, every `EVERY_S`."""
    count = 1
    while count * EVERY_S <= seconds:
        time.sleep(max(began + count * EVERY_S - time.monotonic(), 0.0))
        yield time.monotonic() - began
        count += 1


def _sample(subject: Callgate, at: float, calls: Row) -> Sample:
    parts = {}
    for name, pids in subject.groups().items():
        pids = list(pids)
        parts[name] = Part(resident_kb(pids)[0], _count(pids, "fd"), _count(pids, "task"))
    return Sample(at, calls.created, calls.failed, parts, {name: subject.metric(name) for name in COUNTED})


def _count(pids: Sequence[int], what: str) -> int:
    total = 0
    for pid in pids:
        try:
            total += len(list((PROC / str(pid) / what).iterdir()))
        except OSError:
            continue  # it has ended
    return total


def _line(sample: Sample) -> str:
    parts = "; ".join(
        f"{name} {part.rss_kb / 1024:.1f} MB {part.descriptors} fds {part.threads} threads"
        for name, part in sample.parts.items()
        if part.rss_kb and name != POSTGRES
    )
    up, transactions = sample.counted["callgate_active_calls"], sample.counted["callgate_transactions"]
    return (
        f"{sample.at / 60:5.1f} min: {sample.created:,} calls, {sample.failed} failed, {up:.0f} up,"
        f" {transactions:,.0f} transactions; {parts}"
    )


def _verdict(found: Soak) -> list[str]:
    told = [f"{found.failed} of {found.created:,} calls failed"] if found.failed or not found.created else []
    if len(found.samples) < 3:
        return [*told, f"{len(found.samples)} samples: too few for a verdict"]
    for part in found.samples[-1].parts:
        if part == POSTGRES:  # its cache fills as it likes, up to a bound of its own
            continue
        before, after = found.growth(part, "rss_kb")
        if after - before > max(GROWTH_SHARE * before, GROWTH_KB):
            told.append(f"{part}: memory grew from {before / 1024:.1f} to {after / 1024:.1f} MB")
        for name in ("descriptors", "threads"):
            before, after = found.growth(part, name)
            if after - before > GROWTH_DESCRIPTORS:
                told.append(f"{part}: {name} grew from {before:.0f} to {after:.0f}")
    last = found.samples[-1].counted
    told += [f"{name}: {last[name]:.0f}" for name in ("callgate_errors_total",) if last[name] > 0]
    return told
