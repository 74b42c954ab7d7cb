"""Large amounts of data put into a running Callgate as an operator would: files, `callgate import`, the projection."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.deployment import ACCESS, CORE, ROOT
from tests.bench.probe import Probe
from tests.bench.stores import is_projected
from tests.bench.subject_callgate import Callgate

PER_FILE = 1_250_000
"""Rows of one import: each takes effect in one step, and shows how far it is."""
ROWS_PER_S = 2_000
"""Slower than this an import is given up."""
PROJECT_S = 300.0
REGISTRY_S = 300.0
POLL_S = 0.25
MAX_RANGES = 100_000

Say = Callable[[str], None]


@dataclass(slots=True)
class Loaded:
    """One kind of data that was loaded. `import_s`: until it is in PostgreSQL; `projected_s`: from then on until the
    workers' store has it."""

    kind: str
    rows: int
    import_s: float = 0.0
    projected_s: float = 0.0
    deaf_s: float = 0.0
    """Ranges: the longest the worker took to answer meanwhile."""


def callee(number: int) -> str:
    """The callee of row `number` (0 to 99,999,999)."""
    return f"+86137{number:08d}"


def callers(ranges: int, count: int) -> list[str]:
    """`count` caller numbers spread over the first `ranges` ranges of `ranges_text`."""
    return [f"+86{_first(index * ranges // count) + index % 100}" for index in range(count)]


def ranges_text(count: int) -> str:
    """A registry file with `count` ranges of a hundred numbers, of the benchmark's operator and trunks."""
    if count > MAX_RANGES:
        raise ValueError(f"{count} ranges: {MAX_RANGES} have numbers here")
    return "\n".join(
        f'[[range]]\nid = "bench-{index}"\nfirst = "+86{_first(index)}"\nlast = "+86{_first(index) + 99}"\n'
        f'operator = "bench"\ntrunks = ["{ACCESS}"]\negress = ["{CORE}"]\noutbound = true\ninbound = true\n'
        f'purposes = ["consultation"]\ncertificate = "BENCH-CERT"\nfiling = "BENCH-{index}"\n'
        for index in range(count)
    )


def _first(index: int) -> int:
    return 57_120_000_000 + index * 100


def load_consents(subject: Callgate, first: int, count: int, say: Say) -> Loaded:
    """Consents of `count` callees from row `first` on."""
    header = "callee,operator,purpose,granted_at,expires_at,evidence_uri"
    return _load(subject, "consents", header, ",bench,consultation,2024-01-05T09:30:00+08:00,,", first, count, say)


def load_refusals(subject: Callgate, first: int, count: int, say: Say) -> Loaded:
    """Refusals of all calls by `count` callees from row `first` on."""
    header = "callee,scope,value,event,source,registered_at"
    return _load(subject, "refusals", header, ",all,,declare,bench,2024-02-01T12:00:00+08:00", first, count, say)


def _load(subject: Callgate, kind: str, header: str, rest: str, first: int, count: int, say: Say) -> Loaded:
    loaded = Loaded(kind, 0)
    path = subject.directory / f"{kind}.csv"
    while loaded.rows < count:
        rows = min(PER_FILE, count - loaded.rows)
        with open(path, "w", encoding="ascii") as file:
            file.write(header + "\n")
            file.writelines(_lines(first + loaded.rows, rows, rest))
        loaded.import_s += _import(subject, kind, path, 60 + rows / ROWS_PER_S)
        loaded.projected_s += _projected(subject)
        loaded.rows += rows
        rate = loaded.rows / (loaded.import_s + loaded.projected_s)
        say(f"{loaded.rows:,} of {count:,} {kind} loaded, {rate:,.0f} a second")
    path.unlink(missing_ok=True)
    return loaded


def _lines(first: int, rows: int, rest: str) -> Iterator[str]:
    return (f"{callee(number)}{rest}\n" for number in range(first, first + rows))


def load_ranges(subject: Callgate, count: int, say: Say) -> Loaded:
    """`count` ranges beside what the registry has; until every worker has them in memory."""
    path = subject.directory / "ranges.toml"
    path.write_text(ranges_text(count))
    before = subject.metric("callgate_registry_version")
    with Probe(subject.address) as probe:
        loaded = Loaded("ranges", count, _import(subject, "registry", path, 600))
        began = time.monotonic()
        while subject.metric("callgate_registry_version") <= before:
            if time.monotonic() - began > REGISTRY_S:
                raise AssertionError(f"{count} ranges are not in force after {REGISTRY_S:g} s")
            time.sleep(POLL_S)
        loaded.projected_s = time.monotonic() - began
    loaded.deaf_s = probe.longest_s
    if not probe.answers:
        raise AssertionError(f"{subject.name} does not answer OPTIONS")
    say(
        f"{count:,} ranges: imported in {loaded.import_s:.1f} s, in force {loaded.projected_s:.1f} s later; the worker"
        f" answered within {loaded.deaf_s * 1e3:.0f} ms at worst"
    )
    return loaded


def _import(subject: Callgate, kind: str, path: Path, timeout_s: float) -> float:
    gateway = subject.gateway
    began = time.monotonic()
    done = subprocess.run(
        [gateway.python, "-m", "gateway.cli", "import", kind, str(path), "--config", str(gateway.config)],
        cwd=ROOT, env=gateway.env, capture_output=True, text=True, timeout=timeout_s, check=False,
    )  # fmt: skip
    if done.returncode:
        raise AssertionError(f"import {kind}: {(done.stdout + done.stderr)[-500:]}")
    return time.monotonic() - began


def _projected(subject: Callgate) -> float:
    """Wait until Redis has what PostgreSQL has; the seconds that took."""
    began = time.monotonic()
    while not is_projected(subject):
        if time.monotonic() - began > PROJECT_S:
            raise AssertionError(f"the projection is not in step after {PROJECT_S:g} s")
        time.sleep(POLL_S)
    return time.monotonic() - began
