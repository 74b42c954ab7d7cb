"""Floods of messages that belong to nothing, from a known trunk: no memory, no transaction, and calls beside them are
as if there were none. `FLOOD_S=10 pytest -s …` shows the figures of a longer one."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tests.support.gateway_process import PATIENT, GatewayProcess
from tests.support.hops import wait
from tests.support.sipp import answering, calling
from tests.support.stray_flood import KINDS, flooding

NUMBERS = [(f"+86571123400{n:02d}", "+8613800138000") for n in range(50)]
FLOOD_S = float(os.environ.get("FLOOD_S", "1.5"))
"""Seconds of each kind."""
RATE = 10_000
CALLS_PER_S = 50
BRIEF = {"CALLGATE_TIMERS__T1_MS": "50", "CALLGATE_TIMERS__T4_MS": "500"}
"""Transactions are gone after 3.2 s instead of 32."""
SLOW = {"CALLGATE_OVERLOAD__DELAY_MS": "500", "CALLGATE_OVERLOAD__MAX_DELAY_MS": "1000"}
"""Other work on the machine is no overload."""
GROWTH = 1.05


def resident(gateway: GatewayProcess) -> float:
    """MiB of the worker."""
    return int(Path(f"/proc/{gateway.worker_pid()}/statm").read_text().split()[1]) * 4096 / 2**20


def total(gateway: GatewayProcess, name: str) -> float:
    """The sum of a metric's samples."""
    found = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", gateway.get("/metrics")[1], re.M)
    assert found, name
    return sum(map(float, found))


def rest(gateway: GatewayProcess) -> float:
    """Wait until nothing is left of any call; the worker's MiB then."""
    wait(lambda: total(gateway, "callgate_transactions") == total(gateway, "callgate_active_calls") == 0, 30.0)
    return resident(gateway)


def flooded_calls(gateway: GatewayProcess, directory: Path, seconds: float) -> tuple[dict[str, float], float]:
    """Calls with a flood of each kind beside them, none of which fails; floods per second, MiB when all is over."""
    calls = int(CALLS_PER_S * seconds * len(KINDS))
    caller = calling(directory, ("127.0.0.1", gateway.sip_port), calls=calls, rate=CALLS_PER_S, numbers=NUMBERS)
    rates = {kind: flooding(gateway.sip_port, seconds, RATE, (kind,)) for kind in KINDS}
    during = resident(gateway)
    result = caller.wait(60)
    after = rest(gateway)
    print({kind: f"{rate:.0f}/s" for kind, rate in rates.items()}, result, f"MiB {during:.1f}, then {after:.1f}")
    assert (result.successful, result.failed) == (calls, 0), caller.errors()
    return rates, after


def test_strays_and_junk_cost_no_memory_and_no_call(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "state", env=PATIENT | BRIEF | SLOW) as gateway:
        with answering(tmp_path, scenario="uas_patient") as carrier:
            # What was read is remembered within bounds, which a first round fills, as its calls fill other pools.
            _, before = flooded_calls(gateway, tmp_path / "warm", FLOOD_S)
            rates, after = flooded_calls(gateway, tmp_path / "flood", FLOOD_S)
            assert carrier.result().failed == 0
        assert after < before * GROWTH
        assert all(rate > 100 for rate in rates.values()), "there was a flood"
        metrics = gateway.get("/metrics")[1]
        assert 'callgate_sip_dropped_total{reason="stray-response"}' in metrics
        assert "callgate_errors_total{" not in metrics and "Traceback" not in gateway.output()
