"""The longer scenarios of `python -m tests.bench`: scale, capacity, soak. Each prints as it goes, then a table.

`venv`: of an installed (compiled) Callgate to measure; None: the source tree."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench import capacity
from tests.bench.bulk import Say
from tests.bench.scale_calls import TARGET_BYTES, CallScale, scale_calls
from tests.bench.scale_data import WORKER, DataScale, scale_data
from tests.bench.scale_lookup import scale_lookup
from tests.bench.soak import soak
from tests.bench.subject import REDIS


@dataclass(frozen=True, slots=True)
class Scale:
    """How much `scale` does."""

    rate: float = 300.0
    seconds: float = 20.0
    """Of each run, warm-up not counted."""
    rounds: int = 2
    consents: int = 10_000_000
    full_rate: float = 1_000.0
    held: int = 20_000


IN_ALL = Scale(rounds=1, consents=1_000_000)
"""As a part of the whole benchmark: a quarter of an hour."""
QUICK = Scale(seconds=5.0, rounds=1, consents=100_000, full_rate=500.0, held=2_000)
CAPACITY_S = 20.0
QUICK_SHARE = 8_192
"""1/8192 of the national list."""


def run_scale(plan: Scale, directory: Path, console: Console, venv: Path | None) -> dict[str, object]:
    """Data, then calls."""
    console.print("[bold]scale[/bold]", asdict(plan))
    say = _printer(console)
    data = scale_data(directory, plan.rate, plan.seconds, plan.rounds, plan.consents, say, venv)
    console.print(_data_table(data))
    lookups = scale_lookup(many=plan.consents)
    console.print(str(lookups), highlight=False)
    calls = scale_calls(directory, plan.rate, plan.seconds, plan.full_rate, plan.held, say, venv)
    console.print(_calls_table(calls))
    for reason in (*data.refused, *calls.refused):
        console.print(f"NOT REPORTED {reason}", highlight=False)
    figures = {"bytes_in_flight": calls.bytes_in_flight, "bytes_up": calls.bytes_up, "left_kb": calls.left_kb}
    return {
        "plan": asdict(plan),
        "data": asdict(data),
        "lookups": {**asdict(lookups), "ratio": lookups.ratio},
        "calls": {**asdict(calls), **figures},
    }


def run_capacity(rate: float, share: int, directory: Path, console: Console, venv: Path | None) -> dict[str, object]:
    """What one call and one refusal need, and what the country would."""
    console.print("[bold]capacity[/bold]")
    found = capacity.capacity(directory, rate, CAPACITY_S, share, _printer(console), venv)
    title = f"{capacity.TARGET_RATE:,} calls/s and {capacity.TARGET_REFUSALS:,} refusals"
    table = Table(title=f"{title}: measured at {rate:g} calls/s with {found.refusals:,} refusals")
    for column in ("what", "measured", f"needed, cores {capacity.BUSY:.0%} busy"):
        table.add_column(column)
    for need in capacity.plan(found):
        table.add_row(need.what, need.measured, need.needed)
    console.print(table)
    return capacity.as_json(found)


def run_soak(
    rate: float, minutes: float, directory: Path, console: Console, venv: Path | None
) -> tuple[dict[str, object], bool]:
    """What was seen, and whether it was flat."""
    console.print(f"[bold]soak[/bold] {rate:g} calls/s for {minutes:g} minutes")
    found = soak(directory, rate, minutes, _printer(console), venv)
    verdict = "; ".join(found.verdict) or "flat: no call failed, and neither memory nor descriptors nor threads grew"
    console.print(f"{found.created:,} calls, {found.failed} failed. Verdict: {verdict}", highlight=False)
    return asdict(found), not found.verdict


def _printer(console: Console) -> Say:
    return lambda line: console.print(line, highlight=False)


def _data_table(found: DataScale) -> Table:
    table = Table(title=f"CPU per call by amount of data, microseconds (medians, {found.rate:g} calls/s)")
    for column in ("data", "worker", "Redis", "worker + Redis", "× the fewest", "runs"):
        table.add_column(column, justify="left" if column == "data" else "right")
    for index, step in enumerate(found.steps):
        base = found.steps[index - index % 2].cost()
        cells = [
            f"{step.cost(WORKER):.0f}",
            f"{step.cost(REDIS):.0f}",
            f"{step.cost():.0f}",
            f"{step.cost() / base:.2f}",
        ]
        table.add_row(step.title, *cells, str(len(step.runs)))
    memory = ", ".join(f"{moment} {kb / 1024:.0f} MB" for moment, kb in found.worker_kb.items())
    table.caption = (
        f"a consent: {found.redis_bytes_per_consent:.1f} bytes in Redis, {found.database_bytes_per_consent:.0f} in"
        f" PostgreSQL; worker: {memory}"
    )
    return table


def _calls_table(found: CallScale) -> Table:
    table = Table(title=f"Calls up at once: CPU per call at {found.rate:g} calls/s, and the worker's memory")
    for column in ("what", "figure"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for title, run in (("few calls up", found.alone), (f"{found.active:,.0f} calls up", found.beside)):
        if run is not None:
            table.add_row(f"CPU, {title}", f"{run.cost(WORKER).total:.0f} us + {run.cost(REDIS).total:.0f} us in Redis")
    for moment, kb in found.kb.items():
        table.add_row(f"memory, {moment}", f"{kb / 1024:.1f} MB")
    if found.full_rate:
        flight = (
            f"{found.bytes_in_flight:,.0f} bytes at {found.full_rate:.0f}/s ({found.transactions:,.0f} transactions)"
        )
        table.add_row(f"a call in flight (target {TARGET_BYTES:,})", flight)
    table.add_row(f"a call that is up (target {TARGET_BYTES:,})", f"{found.bytes_up:,.0f} bytes")
    table.add_row("left after everything", f"{found.left_kb / 1024:.1f} MB")
    table.add_row("held calls that failed", f"{found.failed_held}")
    return table
