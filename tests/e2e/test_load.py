"""SIPp through the real gateway: every call completes, every call has its evidence."""

from __future__ import annotations

from pathlib import Path

from tests.support.evidence import wait_for
from tests.support.gateway_process import GatewayProcess
from tests.support.sipp import answering, calling

NUMBERS = [(f"+86571123400{n:02d}", "+8613800138000") for n in range(50)]
CALLS = 3_000


def test_3000_calls_at_200_a_second(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "state") as gateway, answering(tmp_path) as carrier:
        address = ("127.0.0.1", gateway.sip_port)
        caller = calling(tmp_path, address, calls=CALLS, rate=200, pause_ms=500, numbers=NUMBERS)
        result = caller.wait(60)
        assert (result.successful, result.failed) == (CALLS, 0), caller.errors()
        assert result.retransmissions == 0
        assert carrier.result().failed == 0
        records = wait_for(gateway, CALLS, CALLS)
        assert len(records.decisions) == CALLS and set(records.decisions.values()) == {1}
        assert all(results == ["answered"] for results in records.outcomes.values())
        assert records.answered() == set(records.decisions) == set(records.ends)
        assert set(records.ends.values()) == {1}
        verified = gateway.cli("evidence", "verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr
