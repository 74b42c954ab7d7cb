"""SIPp through the real gateway: every call completes, every call has its evidence."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.support.gateway_process import GatewayProcess
from tests.support.sipp import answering, calling

NUMBERS = [(f"+86571123400{n:02d}", "+8613800138000") for n in range(50)]


def calls_of(gateway: GatewayProcess, **search: str) -> list[dict[str, object]]:
    """`callgate calls --json`."""
    arguments = [word for key, value in search.items() for word in (f"--{key.replace('_', '-')}", value)]
    done = gateway.cli("calls", "--json", "--limit", "1000", *arguments)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def test_3000_calls_at_200_a_second(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "state") as gateway, answering(tmp_path) as carrier:
        address = ("127.0.0.1", gateway.sip_port)
        caller = calling(tmp_path, address, calls=3_000, rate=200, pause_ms=500, numbers=NUMBERS)
        result = caller.wait(60)
        assert (result.successful, result.failed) == (3_000, 0), caller.errors()
        assert result.retransmissions == 0
        assert carrier.result().failed == 0
        decisions, answered, ended = wait_for_records(gateway, 3_000)
        assert (decisions, answered, ended) == (3_000, 3_000, 3_000)
        assert gateway.cli("evidence", "verify").returncode == 0


def wait_for_records(gateway: GatewayProcess, calls: int, timeout_s: float = 15.0) -> tuple[int, int, int]:
    """(decisions, answered outcomes, ends) in PostgreSQL, once the shipper has caught up."""
    deadline = time.monotonic() + timeout_s
    while True:
        counts = gateway.count_records()
        if min(counts) >= calls or time.monotonic() > deadline:
            return counts
        time.sleep(0.2)
