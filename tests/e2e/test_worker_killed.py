"""A worker dies with SIGKILL in the middle of everything: established calls go on, nothing is lost or
told twice."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tests.support.evidence import wait_for
from tests.support.gateway_process import GatewayProcess
from tests.support.sipp import Sipp, answering, calling

UP = 100
RINGING = 20
ALPHA = [(f"+86571123400{n:02d}", "+8613800138000") for n in range(50)]
RUNG = [(f"+865711234900{n % 10}", "+8613800138000") for n in range(20)]


def test_100_calls_up_and_20_ringing_survive_a_killed_worker(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "state") as gateway, answering(tmp_path, scenario="uas_mixed") as carrier:
        address = ("127.0.0.1", gateway.sip_port)
        up = calling(tmp_path, address, calls=UP, rate=100, pause_ms=10_000, numbers=ALPHA)
        ringing = calling(tmp_path, address, calls=RINGING, rate=50, numbers=RUNG, scenario="uac_ring")
        wait_until_up(gateway, ringing)
        pid = gateway.worker_pid()
        os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        while (
            gateway.worker_pid() in (0, pid) or 'callgate_worker_up{worker="0"} 1.0' not in gateway.get("/metrics")[1]
        ):
            assert time.monotonic() - killed < 10, gateway.output()
            time.sleep(0.02)
        back = time.monotonic() - killed
        result = up.wait(60)
        assert (result.successful, result.failed) == (UP, 0), up.errors()
        ringing.stop()
        assert carrier.result().failed == 0, carrier.errors()
        assert back < 2.0, f"back after {back:.2f} s"
        records = wait_for(gateway, UP + RINGING, UP)
        assert len(records.decisions) == UP + RINGING and set(records.decisions.values()) == {1}
        results = sorted(tuple(result) for result in records.outcomes.values())
        assert results == [("answered",)] * UP + [("lost",)] * RINGING
        assert records.answered() == set(records.ends) and set(records.ends.values()) == {1}
        verified = gateway.cli("evidence", "verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr


def wait_until_up(gateway: GatewayProcess, ringing: Sipp) -> None:
    """Until all calls are answered or ring."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        metrics = gateway.get("/metrics")[1]
        if f"callgate_active_calls {UP}.0" in metrics and f'verdict="allow"}} {UP + RINGING}.0' in metrics:
            time.sleep(0.3)  # the last 180 on its way
            return
        time.sleep(0.05)
    raise AssertionError(f"{ringing.errors()}\n{gateway.get('/metrics')[1][:3000]}")


def test_a_worker_that_comes_back_refuses_nobody(tmp_path: Path) -> None:
    """What arrives before its link to Redis is up waits for it; nothing is refused because the worker was new."""
    with GatewayProcess(tmp_path / "state") as gateway, answering(tmp_path):
        address = ("127.0.0.1", gateway.sip_port)
        caller = calling(tmp_path, address, calls=600, rate=100, pause_ms=200, numbers=ALPHA)
        time.sleep(2.5)
        os.kill(gateway.worker_pid(), signal.SIGKILL)
        result = caller.wait(60)
        records = wait_for(gateway, 598, 598)
        # SIPp ends a call that failed with a BYE of its own, which has no Route: that is refused, and recorded.
        assert set(records.rules) <= {"allow", "dialog-forged"}, records.rules
        assert records.rules["dialog-forged"] <= result.failed, records.rules
        # A call whose 200 was on its way when the worker died is lost, and says so.
        lost = sum("lost" in results for results in records.outcomes.values())
        assert result.failed <= lost <= 3, (result, caller.errors())
