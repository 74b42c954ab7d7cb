"""The one deployment every subject serves: addresses, caller numbers, callees with consent.

None of the addresses is the example deployment's, so that a benchmark and a running example do not meet.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from gateway.registry.model import NextHop, NumberRange, Operator, Snapshot, Trunk
from gateway.registry.plan_csv import emergency_codes, load_plan_csv

ROOT = Path(__file__).parents[2]

CALLER_HOST = "127.0.0.12"
"""The call centre: SIPp's UAC and the delay generator's caller."""
CARRIER_HOST = "127.0.0.19"
CARRIER_PORT = 5060
STRANGER_HOST = "127.0.0.13"
"""An address nobody knows."""
ACCESS, CORE = "cc-bench", "carrier-bench"

CALLERS = [f"+86571123400{number:02d}" for number in range(100)]
CALLEES = [f"+86138001{number:05d}" for number in range(1_000)]
"""Callees with a consent for the benchmark's operator and purpose."""
DECLINED = "+8613900000001"
"""Consented once, and declined all calls since."""
UNCONSENTED = "+8613900000002"
FOREIGN_CALLER = "+8657199990000"
"""In nobody's range."""
RANGE_FIRST, RANGE_LAST = "+8657112340000", "+8657112349999"

NUMBERS = [(CALLERS[index % len(CALLERS)], callee) for index, callee in enumerate(CALLEES)]
"""(caller, callee) pairs, used in turn."""

_REGISTRY = f"""
[plan]
file = "cn"
country = "86"
zone = "Asia/Shanghai"

[[purpose]]
name = "consultation"
title = "Information consultation the callee agreed to"

[[operator]]
id = "bench"
name = "Bench Call Centre"
class = "own_customers"         # no papers: what is measured is the path of a call

[[trunk]]
id = "{ACCESS}"
side = "access"
operator = "bench"
sources = ["{CALLER_HOST}"]
next_hops = ["{CALLER_HOST}:5060"]
country = "86"
area = "571"
emergency_cli = "{RANGE_FIRST}"

[[trunk]]
id = "{CORE}"
side = "core"
sources = ["{CARRIER_HOST}"]
next_hops = ["{CARRIER_HOST}:{CARRIER_PORT}"]
trusted = true

[[range]]
id = "bench-hangzhou"
first = "{RANGE_FIRST}"
last = "{RANGE_LAST}"
operator = "bench"
trunks = ["{ACCESS}"]
egress = ["{CORE}"]
outbound = true
inbound = true
purposes = ["consultation"]
certificate = "BENCH-CERT"
filing = "BENCH-FILING"
"""


def write_example(directory: Path) -> Path:
    """Write what an empty Callgate database is filled with, below `directory`; the path for `example.directory`."""
    home = directory / "example"
    home.mkdir(parents=True, exist_ok=True)
    for part in ("packs", "plans"):
        shutil.copytree(ROOT / "config" / part, directory / part, dirs_exist_ok=True)
    (home / "registry.toml").write_text(_REGISTRY)
    consents = ["callee,operator,purpose,granted_at,expires_at,evidence_uri"]
    consents += [f"{callee},bench,consultation,2024-01-05T09:30:00+08:00,," for callee in (*CALLEES, DECLINED)]
    (home / "consents.csv").write_text("\n".join(consents) + "\n")
    (home / "refusals.csv").write_text(
        "callee,scope,value,event,source,registered_at\n"
        f"{DECLINED},all,,declare,bench,2024-02-01T12:00:00+08:00\n"
    )
    return home


def snapshot() -> Snapshot:
    """The same deployment as a worker gets it, for benchmarks without a database."""
    plan = load_plan_csv((ROOT / "config/plans/cn.csv").read_text(encoding="utf-8"))
    access = Trunk(
        ACCESS, "access", operator="bench", sources=(CALLER_HOST,), next_hops=(NextHop(CALLER_HOST),), area="571",
        emergency_cli=RANGE_FIRST,
    )  # fmt: skip
    core = Trunk(
        CORE, "core", sources=(CARRIER_HOST,), next_hops=(NextHop(CARRIER_HOST, CARRIER_PORT),), trusted=True
    )
    numbers = NumberRange(
        "bench-hangzhou", RANGE_FIRST, RANGE_LAST, "bench", (ACCESS,), (CORE,), outbound=True, inbound=True,
        purposes=("consultation",), certificate="BENCH-CERT", filing="BENCH-FILING",
    )  # fmt: skip
    return Snapshot(
        1,
        operators=(Operator("bench", "Bench Call Centre", 1),),
        trunks=(access, core),
        ranges=(numbers,),
        plan=plan,
        emergency=emergency_codes(plan),
        purposes={"consultation": 1},
        pack=(ROOT / "config/packs/example.toml").read_text(encoding="utf-8"),
    )
