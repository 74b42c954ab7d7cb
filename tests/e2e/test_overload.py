"""More calls than the gateway can take: it takes what it can soon enough, and says 503 to the rest."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from pathlib import Path

from tests.support.gateway_process import GatewayProcess
from tests.support.hops import caller, one_call, until
from tests.support.sipp import Sipp, answering, calling

NUMBERS = [(f"+86571123400{n:02d}", "+8613800138000") for n in range(50)]
RATE = 2_500.0
"""Calls per second: more than twice what one worker sustains on one core."""
SECONDS = 8
WORKER_ROOM = 0.1
"""Seconds: the promised bound of an accepted call's set-up, at the 99th percentile."""


class Noise(threading.Thread):
    """How late this machine lets a process run that asked for a millisecond: what no gateway can answer for."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.late: list[float] = []
        self.over = False

    def run(self) -> None:
        while not self.over:
            began = time.monotonic()
            time.sleep(0.001)
            self.late.append(time.monotonic() - began - 0.001)

    def worst(self) -> float:
        """The 99th percentile, seconds."""
        self.over = True
        self.join()
        return percentile(self.late, 0.99)


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)]


def set_up_s(sipp: Sipp) -> list[float]:
    """Seconds from INVITE to 200 of every call that was answered."""
    (file,) = sipp.directory.glob("*rtt*.csv")
    return [float(line.split(";")[1]) / 1000 for line in file.read_text().splitlines()[1:]]


def value(gateway: GatewayProcess, start: str) -> float:
    """The sum of the metrics whose line begins so."""
    return sum(float(one) for one in re.findall(rf"^{re.escape(start)}.*? (\S+)$", gateway.get("/metrics")[1], re.M))


async def test_what_is_too_much_gets_503_and_the_rest_is_set_up_in_time(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "state", env={"CALLGATE_GATE__DEADLINE_MS": "1000"}) as gateway:
        with answering(tmp_path) as carrier:
            noise = Noise()
            noise.start()
            address = ("127.0.0.1", gateway.sip_port)
            flood = calling(
                tmp_path, address, calls=int(RATE * SECONDS), rate=RATE, pause_ms=500, numbers=NUMBERS,
                more=("-trace_rtt", "-rtt_freq", "1"),
            )  # fmt: skip
            result = await asyncio.to_thread(flood.wait, 100)
            allowance = noise.worst()
            shed = value(gateway, "callgate_calls_shed_total")
            accepted = set_up_s(flood)
            print(f"{result}; shed {shed:.0f}; accepted {len(accepted)}; machine late by {allowance * 1000:.0f} ms;")
            print(f"set-up p50 {percentile(accepted, 0.5) * 1000:.0f} p99 {percentile(accepted, 0.99) * 1000:.0f} ms")
            assert result.successful + result.failed == RATE * SECONDS
            assert shed > 0 and result.successful > 0
            refused = re.findall(r"SIP/2\.0 (\d{3}) ", flood.errors())
            assert set(refused) == {"503"}, "nothing but 503 and answers"
            assert "Retry-After: " in flood.errors()
            # A call crosses the gateway, both ends and Redis, and each may be held up so long.
            assert percentile(accepted, 0.99) < WORKER_ROOM + 6 * allowance
            assert carrier.result().failed == 0
        # And then all is as before, without a restart.
        await until(lambda: value(gateway, "callgate_shedding") == 0, 15.0)
        assert gateway.worker_pid() and "child ended" not in gateway.output() and "Traceback" not in gateway.output()
        async with caller() as phone:
            with answering(tmp_path):
                for _ in range(5):
                    assert (await one_call(phone, gateway))[0].status == 200
        assert value(gateway, "callgate_active_calls") == 0
        verified = await asyncio.to_thread(gateway.cli, "evidence", "verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr
