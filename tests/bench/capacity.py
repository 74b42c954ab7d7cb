"""The paper plan: what 10,000 calls a second and a national list of 600 million refusals need, from what one call and
one refusal were measured to need here.

The refusals that are loaded are 1/512 of the national list: their buckets are as full as those of the whole list in the
largest number of buckets there is, so bytes per refusal are the same.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench.bulk import Say, load_refusals
from tests.bench.load import idle, measure
from tests.bench.proof import prove
from tests.bench.stores import redis_memory, redis_traffic, table_bytes
from tests.bench.subject import POSTGRES, REDIS
from tests.bench.subject_callgate import PATIENT, Callgate

TARGET_RATE = 10_000
"""Calls per second."""
TARGET_REFUSALS = 600_000_000
SHARE = 512
"""The national list is this many times what is loaded."""
BUSY = 0.6
"""Share of a core that may be in use: the rest is for bursts, and for the loss of a node."""
NODE_CORES = 32
DAY_S = 86_400
LOOPBACK = Path("/proc/net/dev")
IDLE_S = 5.0
SETTLE_S = 2.0
"""The shipper's last transaction."""


@dataclass(slots=True)
class Capacity:
    """Of one call and of one refusal, as measured."""

    rate: float
    calls: float
    cpu_us: dict[str, float]
    """Per call, by part, without what the part does all the same while nobody calls."""
    idle_ms: dict[str, float]
    """Milliseconds of processor time per second while nobody calls, by part."""
    network_bytes: float
    """Per call, in and out of the gateway together, with all headers of the loopback."""
    redis_bytes: float
    """Per call, in and out of Redis."""
    redis_commands: float
    evidence_bytes: float
    """Per call, in PostgreSQL, indexes included."""
    evidence_rows: float
    journal_bytes: float
    refusals: int
    refusal_redis_bytes: float
    refusal_redis_resident: float
    refusal_database_bytes: float
    import_rows_per_s: float
    projected_rows_per_s: float


def capacity(directory: Path, rate: float, seconds: float, share: int, say: Say, venv: Path | None = None) -> Capacity:
    """Load 1/`share` of the national list, then calls at `rate`. Raises FailedCalls."""
    refusals = TARGET_REFUSALS // share
    with Callgate(directory / "capacity", "capacity", venv=venv, env=PATIENT) as subject:
        prove(subject)
        before, stored = redis_memory(subject), table_bytes(subject, "refusals")
        loaded = load_refusals(subject, 0, refusals, say)
        subject.settle(30)
        memory = redis_memory(subject)
        rows = table_bytes(subject, "refusals") - stored
        evidence, records = table_bytes(subject, "evidence"), subject.metric("callgate_journal_records_total")
        written, wire = subject.metric("callgate_journal_bytes_total"), _loopback_bytes()
        quiet = idle(subject, IDLE_S)
        began, traffic = time.monotonic(), redis_traffic(subject)
        run = measure(subject, rate, seconds, subject.warm_s, directory / "load")
        time.sleep(SETTLE_S)
        spent, loaded_traffic = time.monotonic() - began, redis_traffic(subject)
        wire_bytes = _loopback_bytes() - wire
        time.sleep(IDLE_S)  # what the control process asks Redis all the time is not the calls'
        calls = round(rate * (subject.warm_s + seconds))
        commands, moved = (
            max(after - before - (resting - after) * spent / IDLE_S, 0.0) / calls
            for before, after, resting in zip(traffic, loaded_traffic, redis_traffic(subject), strict=True)
        )
        return Capacity(
            rate,
            calls,
            {name: max(cost.total - quiet.get(name, 0.0) * 1e3 / rate, 0.0) for name, cost in run.parts.items()},
            quiet,
            wire_bytes / calls,
            moved,
            commands,
            (table_bytes(subject, "evidence") - evidence) / calls,
            (subject.metric("callgate_journal_records_total") - records) / calls,
            (subject.metric("callgate_journal_bytes_total") - written) / calls,
            refusals,
            (memory.used - before.used) / refusals,
            (memory.resident - before.resident) / refusals,
            rows / refusals,
            refusals / loaded.import_s,
            refusals / max(loaded.projected_s, 0.001),
        )


def _loopback_bytes() -> int:
    """Bytes the loopback has carried: each message that reaches or leaves the gateway is one."""
    line = next(line for line in LOOPBACK.read_text().splitlines() if line.strip().startswith("lo:"))
    return int(line.split()[1])


@dataclass(frozen=True, slots=True)
class Need:
    """One line of the plan."""

    what: str
    measured: str
    needed: str


def plan(found: Capacity, rate: int = TARGET_RATE, refusals: int = TARGET_REFUSALS) -> list[Need]:
    """What `rate` calls per second and `refusals` refusals need."""

    def cores(*parts: str) -> str:
        us = sum(found.cpu_us.get(part, 0.0) for part in parts)
        return f"{us * rate / 1e6 / BUSY:.1f} cores"

    others = [part for part in found.cpu_us if part not in ("worker", REDIS, POSTGRES, "shipper")]
    workers = found.cpu_us["worker"] * rate / 1e6 / BUSY
    nodes = max(2, -(-round(workers) // NODE_CORES) + 1)
    memory = found.refusal_redis_bytes * refusals / 1e9
    return [
        Need(
            "worker", f"{found.cpu_us['worker']:.0f} us per call", f"{workers:.0f} cores; {nodes} nodes of {NODE_CORES}"
        ),
        Need("Redis", f"{found.cpu_us.get(REDIS, 0):.0f} us per call", cores(REDIS)),
        Need("shipper", f"{found.cpu_us.get('shipper', 0):.0f} us per call", cores("shipper")),
        Need("PostgreSQL", f"{found.cpu_us.get(POSTGRES, 0):.0f} us per call", cores(POSTGRES)),
        Need("control, supervisor", f"{sum(found.cpu_us[part] for part in others):.0f} us per call", "1 core per node"),
        Need(
            "refusals in Redis",
            f"{found.refusal_redis_bytes:.1f} bytes each",
            f"{memory:.1f} GB, {2 * memory:.1f} GB while it is filled anew",
        ),
        Need(
            "refusals in PostgreSQL",
            f"{found.refusal_database_bytes:.0f} bytes each",
            f"{found.refusal_database_bytes * refusals / 1e9:.0f} GB",
        ),
        Need(
            "filling Redis anew",
            f"{found.projected_rows_per_s:,.0f} refusals a second",
            f"{refusals / found.projected_rows_per_s / 3600:.1f} hours",
        ),
        Need(
            "evidence in PostgreSQL",
            f"{found.evidence_rows:.0f} rows, {found.evidence_bytes:,.0f} bytes per call",
            f"{found.evidence_rows * rate * DAY_S / 1e9:.1f} billion rows, "
            f"{found.evidence_bytes * rate * DAY_S / 1e12:.1f} TB per day of full load",
        ),
        Need(
            "journals",
            f"{found.journal_bytes:,.0f} bytes per call",
            f"{found.journal_bytes * rate / 1e6:.0f} MB a second over all disks",
        ),
        Need(
            "network, SIP",
            f"{found.network_bytes:,.0f} bytes per call, both sides",
            f"{found.network_bytes * rate * 8 / 1e9:.2f} Gbit/s",
        ),
        Need(
            "network, Redis",
            f"{found.redis_bytes:,.0f} bytes per call",
            f"{found.redis_bytes * rate * 8 / 1e6:.0f} Mbit/s, {found.redis_commands * rate:,.0f} commands a second",
        ),
    ]


def as_json(found: Capacity) -> dict[str, object]:
    """For the file of all results."""
    return {**asdict(found), "plan": [asdict(need) for need in plan(found)]}
