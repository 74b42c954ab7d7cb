"""The tables: medians of the runs, and what they come to beside Kamailio and beside the floor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from rich.table import Table

from tests.bench.load import LoadRun
from tests.bench.macro import Measured
from tests.bench.replaying import Replayed
from tests.bench.subject import POSTGRES, REDIS

REFERENCE = "kamailio"
FLOOR = "relay"
NONE = "–"


def cost_table(measured: Sequence[Measured], rates: Sequence[float]) -> Table:
    """Processor time per call at each rate."""
    table = Table(title="CPU per gated call, microseconds (medians)")
    for column in ("calls/s", "subject", "own", "user", "system", "Redis", "own + Redis", "± %", "PostgreSQL"):
        table.add_column(column, justify="left" if column == "subject" else "right")
    for column in ("× Kamailio", "× floor", "PSS MB", "RSS MB", "runs"):
        table.add_column(column, justify="right")
    for rate in rates:
        by_name = {entry.name: [run for run in entry.loads if run.rate == rate] for entry in measured}
        reference, floor = (_whole(by_name.get(name, [])) for name in (REFERENCE, FLOOR))
        for name, runs in by_name.items():
            table.add_row(f"{rate:g}", name, *_cost_cells(runs, reference, floor))
        table.add_section()
    return table


def _cost_cells(runs: Sequence[LoadRun], reference: float, floor: float) -> list[str]:
    if not runs:
        return [NONE] * 11 + ["0"]
    whole = [run.cost().total + run.cost(REDIS).total for run in runs]
    middle = median(whole)
    return [
        _number(runs, lambda run: run.cost().total),
        _number(runs, lambda run: run.cost().user),
        _number(runs, lambda run: run.cost().system),
        _number(runs, lambda run: run.cost(REDIS).total),
        f"{middle:.0f}",
        f"{(max(whole) - min(whole)) / 2 / middle * 100:.0f}",
        _number(runs, lambda run: run.cost(POSTGRES).total),
        f"{middle / reference:.2f}" if reference else NONE,
        f"{middle / floor:.1f}" if floor else NONE,
        _number(runs, lambda run: run.pss_kb / 1024),
        _number(runs, lambda run: run.rss_kb / 1024),
        str(len(runs)),
    ]


def part_table(measured: Sequence[Measured], rates: Sequence[float]) -> Table:
    """Where the processor time goes, by process, and what runs without any call."""
    table = Table(title="Processes: microseconds per call, and milliseconds per second without calls (medians)")
    for column in ("subject", "process", *(f"{rate:g}/s" for rate in rates), "idle ms/s"):
        table.add_column(column, justify="left" if column in ("subject", "process") else "right")
    for entry in measured:
        names = list(dict.fromkeys(name for run in entry.loads for name in run.parts))
        for name in names:
            cells = [_number([run for run in entry.loads if run.rate == rate], _part(name)) for rate in rates]
            table.add_row(entry.name, name, *cells, f"{median(idle.get(name, 0.0) for idle in entry.idle_ms):.1f}")
        table.add_section()
    return table


def delay_table(measured: Sequence[Measured]) -> Table:
    """Highest rate, and the delay at half of it."""
    rate = next((entry.delays[0].rate for entry in measured if entry.delays), 0.0)
    table = Table(title=f"Highest rate (< 0.1 % failed), and added post-dial delay at {rate:.0f} calls/s (medians)")
    for column in ("subject", "highest calls/s", "p50 us", "p95 us", "p99 us", "max us", "runs"):
        table.add_column(column, justify="left" if column == "subject" else "right")
    for entry in measured:
        highest = f"{entry.highest.rate:.0f}" if entry.highest is not None and entry.highest.rate else NONE
        delays = entry.delays
        columns = [[d.p50_us for d in delays], [d.p95_us for d in delays], [d.p99_us for d in delays]]
        columns.append([d.max_us for d in delays])
        cells = [f"{median(column):.0f}" if column else NONE for column in columns]
        table.add_row(entry.name, highest, *cells, str(len(delays)))
    return table


def notes(measured: Sequence[Measured], warm: bool) -> list[str]:
    """What a reader must know beside the tables."""
    found = [f"{entry.name}: {entry.about}; proved: {', '.join(entry.proved) or NONE}" for entry in measured]
    others = [run.others for entry in measured for run in entry.loads]
    if others:
        found.append(
            f"CPUs busy with something else during the runs: median {median(others):.2f}, worst {max(others):.2f}"
            " (above 0.1 the figures are noisy)"
        )
    if not warm:
        found.append("no warm-up: the timers' share of the work (a few percent) is not in the figures")
    found += [f"NOT REPORTED {entry.name}: {reason}" for entry in measured for reason in entry.refused]
    return found


def _part(name: str) -> Callable[[LoadRun], float]:
    return lambda run: run.parts[name].total if name in run.parts else 0.0


def _whole(runs: Sequence[LoadRun]) -> float:
    return median(run.cost().total + run.cost(REDIS).total for run in runs) if runs else 0.0


def _number(runs: Sequence[LoadRun], value: Callable[[LoadRun], float]) -> str:
    return f"{median(value(run) for run in runs):.0f}" if runs else NONE


def replay_table(replayed: Sequence[Replayed]) -> Table:
    """Recorded decisions judged again."""
    table = Table(title="Recorded decisions judged again")
    for column in ("with", "decisions", "seconds", "per second", "differ", "cannot be told"):
        table.add_column(column, justify="left" if column == "with" else "right")
    for one in replayed:
        counts = (f"{one.differing:,}", f"{one.untold:,}")
        table.add_row(one.what, f"{one.decisions:,}", f"{one.seconds:.1f}", f"{one.per_s:,.0f}", *counts)
    return table
