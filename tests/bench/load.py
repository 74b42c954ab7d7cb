"""One SIPp run against one subject: what its processes used per call once its work was in balance.

A transaction's timers end up to 32 s after the call, and their work belongs to the call. So the load runs for the
subject's `warm_s` first; the processor time counted is that from then on, to the end of the load and until nothing is
left to be done (`Subject.settle`). The calls counted are the mean of those begun and those ended meanwhile.
"""

from __future__ import annotations

import csv
import resource
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.deployment import CALLER_HOST, CARRIER_HOST, CARRIER_PORT, NUMBERS
from tests.bench.subject import POSTGRES, REDIS, Subject
from tests.bench.usage import Usage, machine_busy_ns, read_groups, resident_kb
from tests.support.sipp import Result, Sipp, answering, calling

POLL_S = 0.004
OVERTIME_S = 20.0
"""How much longer than planned a load may take: SIPp's own repeats end within it."""
SETTLE_S = 30.0
SCRAPE_S = 5.0
"""Metrics are fetched this often, more often than Prometheus does by default (15 s)."""
PAUSE_MS = 500
MAX_UP = 15_000
"""Calls SIPp may have up at once: below its limit of open files."""


class FailedCalls(AssertionError):
    """Calls failed, or were not placed at the rate asked for: the run gives no figure."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of SIPp's statistics, written every second."""

    at: float
    created: int
    successful: int
    failed: int = 0


@dataclass(slots=True)
class Cost:
    """Microseconds per call of one part."""

    total: float
    user: float
    system: float


@dataclass(slots=True)
class LoadRun:
    """One run at one rate."""

    subject: str
    rate: float
    reached: float
    """Calls per second that were placed."""
    calls: float
    """Calls the costs are divided by."""
    retransmissions: int
    parts: dict[str, Cost] = field(default_factory=dict)
    rss_kb: int = 0
    pss_kb: int = 0
    settle_s: float = 0.0
    others: float = 0.0
    """Processors that neither the subject nor SIPp nor this program kept busy: what disturbed the run."""

    def cost(self, *parts: str) -> Cost:
        """Sum of some parts; of all but Redis and PostgreSQL when none is named."""
        names = parts or tuple(name for name in self.parts if name not in (REDIS, POSTGRES))
        found = [self.parts[name] for name in names if name in self.parts]
        return Cost(
            sum(cost.total for cost in found), sum(cost.user for cost in found), sum(cost.system for cost in found)
        )


def measure(
    subject: Subject,
    rate: float,
    seconds: float,
    warm_s: float,
    directory: Path,
    numbers: Sequence[tuple[str, str]] = NUMBERS,
    running: Sipp | None = None,
) -> LoadRun:
    """Run the load. `numbers`: (caller, callee), used in turn; `running`: a carrier that answers already. Raises
    FailedCalls, with no figure, when a call failed."""
    busy, own = machine_busy_ns(), _own_ns()
    began = read_groups(subject.groups())
    answers = nullcontext(running) if running is not None else answering(directory, CARRIER_HOST, CARRIER_PORT)
    with answers as carrier:
        sipp = place(subject, rate, warm_s + seconds, directory, numbers=numbers)
        try:
            first = _row_after(sipp, warm_s)
            before = read_groups(subject.groups())
            with _scraping(subject):
                result = _until_end(sipp, warm_s + seconds + OVERTIME_S)
        finally:
            sipp.stop()
        ended = time.monotonic()
        subject.settle(SETTLE_S)
        settled = time.monotonic() - ended
        groups = subject.groups()
        after = read_groups(groups)
        memory = [resident_kb(pids) for name, pids in groups.items() if name not in (REDIS, POSTGRES)]
        failed = result.failed + result.current + carrier.result().failed
    if failed or not result.created:
        counts = f"{failed} of {result.created} calls failed"
        raise FailedCalls(f"{subject.name} at {rate:g}/s: {counts}; first: {sipp.errors()[:300]!r}")
    reached = reached_rate(sipp)
    if reached < 0.97 * rate:
        raise FailedCalls(f"{subject.name} at {rate:g}/s: SIPp placed {reached:.0f}/s only")
    calls = ((result.created - first.created) + (result.successful - first.successful)) / 2
    if calls <= 0:
        raise FailedCalls(f"{subject.name} at {rate:g}/s: no calls after the warm-up: {first}, {result}")
    run = LoadRun(subject.name, rate, reached, calls, result.retransmissions, settle_s=settled)
    for name, usage in after.items():
        used = usage.since(before.get(name, Usage()))
        run.parts[name] = Cost(*(value / calls / 1e3 for value in (used.total, used.user, used.system)))
    run.rss_kb, run.pss_kb = sum(rss for rss, _ in memory), sum(pss for _, pss in memory)
    whole = sum(usage.since(began.get(name, Usage())).total for name, usage in after.items())
    spent = time.monotonic() - ended + warm_s + seconds
    run.others = max(machine_busy_ns() - busy - (_own_ns() - own) - whole, 0.0) / spent / 1e9
    return run


def _until_end(sipp: Sipp, timeout_s: float) -> Result:
    try:
        return sipp.wait(timeout_s)
    except AssertionError as error:
        raise FailedCalls(str(error)[:300]) from None


def idle(subject: Subject, seconds: float) -> dict[str, float]:
    """Milliseconds of processor time per second that each part uses while nobody calls."""
    before = read_groups(subject.groups())
    time.sleep(seconds)
    after = read_groups(subject.groups())
    return {name: usage.since(before.get(name, Usage())).total / seconds / 1e6 for name, usage in after.items()}


def place(
    subject: Subject,
    rate: float,
    seconds: float,
    directory: Path,
    overtime_s: float = OVERTIME_S,
    numbers: Sequence[tuple[str, str]] = NUMBERS,
    pause_ms: int = PAUSE_MS,
    most_up: int = MAX_UP,
) -> Sipp:
    """Start SIPp's caller: bounded in calls and in time. `pause_ms`: how long a call is up; `most_up`: calls up at
    once."""
    directory.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(dir=directory))  # statistics of an earlier try must not be read as its own
    limit = ("-timeout", str(int(seconds + overtime_s)))
    return calling(
        directory, subject.address, calls=round(rate * seconds), rate=rate, pause_ms=pause_ms,
        numbers=list(numbers), host=CALLER_HOST, limit=most_up, more=limit,
    )  # fmt: skip


def rows(sipp: Sipp) -> list[Row]:
    """SIPp's statistics so far; a line that is being written is left out."""
    path = sipp.directory / "stat.csv"
    if not path.exists():
        return []
    found = []
    for line in csv.DictReader(path.read_text().rpartition("\n")[0].splitlines(), delimiter=";"):
        at = float(line["CurrentTime"].rpartition("\t")[2])
        found.append(Row(at, int(line["TotalCallCreated"]), int(line["SuccessfulCall(C)"]), int(line["FailedCall(C)"])))
    return found


def reached_rate(sipp: Sipp) -> float:
    """Calls per second SIPp placed while it placed any."""
    found = rows(sipp)
    last = next((index for index, row in enumerate(found) if row.created == found[-1].created), 0)
    if last == 0:
        return 0.0
    # The last calls were placed somewhere within their second: the line before is exact.
    end = found[last - 1] if last > 1 else found[last]
    return end.created / (end.at - found[0].at)


def _row_after(sipp: Sipp, seconds: float) -> Row:
    """Wait for the first line `seconds` after the start; at once the zeroth when there is no time to wait."""
    deadline = time.monotonic() + seconds + OVERTIME_S
    path, size = sipp.directory / "stat.csv", 0
    time.sleep(max(seconds - 1.0, 0.0))
    while sipp.process.poll() is None and time.monotonic() < deadline:
        grown = path.stat().st_size if path.exists() else 0
        if grown != size:  # reading it over and over would disturb what is measured
            size = grown
            found = rows(sipp)
            if found and found[-1].at - found[0].at >= seconds:
                return found[-1]
        time.sleep(POLL_S)
    raise FailedCalls(f"SIPp ended early: {sipp.result()} {sipp.errors()[:300]!r}")


def _own_ns() -> int:
    """Processor time of this program and of the children it has waited for."""
    used = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        used += usage.ru_utime + usage.ru_stime
    return int(used * 1e9)


@contextmanager
def _scraping(subject: Subject) -> Iterator[None]:
    done = threading.Event()

    def scrape() -> None:
        while not done.wait(SCRAPE_S):
            subject.scrape()

    thread = threading.Thread(target=scrape, name="scrape")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
