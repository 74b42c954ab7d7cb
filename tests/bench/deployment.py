"""The one deployment every subject serves: addresses, caller numbers, callees with consent.

None of the addresses is the example deployment's, so that a benchmark and a running example do not meet.
"""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]

CALLER_HOST = "127.0.0.12"
"""The call centre: SIPp's UAC and the delay generator's caller."""
CARRIER_HOST = "127.0.0.19"
CARRIER_PORT = 5060
STRANGER_HOST = "127.0.0.13"
"""An address nobody knows."""

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
class = "call_centre"

[[trunk]]
id = "cc-bench"
side = "access"
operator = "bench"
sources = ["{CALLER_HOST}"]
next_hops = ["{CALLER_HOST}:5060"]
country = "86"
area = "571"
emergency_cli = "{RANGE_FIRST}"

[[trunk]]
id = "carrier-bench"
side = "core"
sources = ["{CARRIER_HOST}"]
next_hops = ["{CARRIER_HOST}:{CARRIER_PORT}"]
trusted = true

[[range]]
id = "bench-hangzhou"
first = "{RANGE_FIRST}"
last = "{RANGE_LAST}"
operator = "bench"
trunks = ["cc-bench"]
egress = ["carrier-bench"]
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
