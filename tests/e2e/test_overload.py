"""More calls than the gateway can take: it takes what it can soon enough, and says 503 to the rest."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

from tests.support.gateway_process import GatewayProcess
from tests.support.hops import caller, one_call, until
from tests.support.sipp import Sipp, answering, calling

NUMBERS = [(f"+86571123400{n:02d}", "+8613800138000") for n in range(50)]
FACTOR = 5.0
"""What is offered, of what `sustained` says: about twice what the worker bears, for at full load a call costs less than
half of what it does at the probe's rate."""
MOST = 4_000.0
PROBE_RATE = 200.0
"""Calls per second with which it is found out what a call costs."""
SECONDS = float(os.environ.get("OVERLOAD_S", "8"))
SET_UP_S = 0.1
"""The promised bound of an accepted call's set-up, at the 99th percentile."""
NOTICED_S = 1.0
"""Until the overload is noticed, calls are taken that have waited; of a minute that is less than one in a hundred."""


def scheduled(pid: int) -> tuple[float, float]:
    """Seconds a process has run, and that it waited for a core although it could have run (proc(5), schedstat)."""
    run, wait, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
    return int(run) / 1e9, int(wait) / 1e9


def sustained(gateway: GatewayProcess, directory: Path) -> float:
    """Calls per second that the worker bears with the part of a core that this machine has left for it."""
    before = scheduled(gateway.worker_pid())
    probe = calling(
        directory / "probe", ("127.0.0.1", gateway.sip_port), calls=int(2 * PROBE_RATE), rate=PROBE_RATE,
        pause_ms=100, numbers=NUMBERS,
    ).wait(60)  # fmt: skip
    run, wait = (after - once for after, once in zip(scheduled(gateway.worker_pid()), before, strict=True))
    return probe.successful / run / (1 + wait / run)


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)]


def set_up_s(sipp: Sipp) -> list[float]:
    """Seconds from INVITE to 200 of every call that was answered after `NOTICED_S`."""
    (file,) = sipp.directory.glob("*rtt*.csv")
    rows = [[float(cell) / 1000 for cell in line.split(";")[:2]] for line in file.read_text().splitlines()[1:]]
    return [took for at, took in rows if at - rows[0][0] > NOTICED_S]


def value(gateway: GatewayProcess, start: str) -> float:
    """The sum of the metrics whose line begins so."""
    return sum(float(one) for one in re.findall(rf"^{re.escape(start)}.*? (\S+)$", gateway.get("/metrics")[1], re.M))


async def test_what_is_too_much_gets_503_and_the_rest_is_set_up_in_time(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "state", env={"CALLGATE_GATE__DEADLINE_MS": "1000"}) as gateway:
        with answering(tmp_path, more=("-buff_size", "4000000")) as carrier:
            address = ("127.0.0.1", gateway.sip_port)
            bearable = await asyncio.to_thread(sustained, gateway, tmp_path)
            rate = min(FACTOR * bearable, MOST)
            calls = int(rate * SECONDS)
            flood = calling(
                tmp_path, address, calls=calls, rate=rate, pause_ms=500, numbers=NUMBERS,
                more=("-trace_rtt", "-rtt_freq", "1", "-buff_size", "4000000"),
            )  # fmt: skip
            pids = (gateway.worker_pid(), flood.process.pid, carrier.process.pid)
            before = [scheduled(pid) for pid in pids]
            await asyncio.sleep(SECONDS)
            after = [scheduled(pid) for pid in pids]
            starved = max(
                1 + (wait - waited) / (run - ran) for (run, wait), (ran, waited) in zip(after, before, strict=True)
            )
            result = await asyncio.to_thread(flood.wait, 100)
            shed = value(gateway, "callgate_calls_shed_total")
            accepted = set_up_s(flood)
            print(f"bears {bearable:.0f}/s, offered {rate:.0f}/s;")
            print(f"{result}; shed {shed:.0f}; accepted {len(accepted)}; had a core 1/{starved:.1f} of the time;")
            print(f"set-up p50 {percentile(accepted, 0.5) * 1000:.0f} p99 {percentile(accepted, 0.99) * 1000:.0f} ms")
            assert result.successful + result.failed == calls
            assert shed > 0 and result.successful > 0
            refused = re.findall(r"while expecting '100' .*?received 'SIP/2\.0 (\d{3}) ", flood.errors(1 << 30))
            assert set(refused) == {"503"}, "nothing but 503 and answers"
            # SIPp gives up a call in ten thousand over a 180 that it was waiting for.
            assert result.failed - len(refused) <= calls / 1_000
            assert "Retry-After: " in flood.errors()
            # In time of their own: a machine that runs other things at once makes all of them later by that factor.
            assert percentile(accepted, 0.99) < SET_UP_S * starved
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
