"""A network that loses every twentieth datagram and lets others overtake: repetitions make up for it, and no call is
lost, doubled or decided twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.support.evidence import wait_for
from tests.support.gateway_process import PATIENT, GatewayProcess
from tests.support.hops import until
from tests.support.lossy import LossyPath, PatientCallee, PatientCaller

CALLS = 1_000
RATE = 120
UP_S = 0.5
ANY_LOAD = {**PATIENT, "CALLGATE_OVERLOAD__ENABLED": "false"}
"""What is asked is whether every call completes, on a machine that may be busy with other things."""


async def test_1000_of_1000_calls_at_5_percent_loss(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "state", env=ANY_LOAD) as gateway:
        near, far = LossyPath(1), LossyPath(2)
        caller, callee = await PatientCaller.open(near, "127.0.0.2"), await PatientCallee.open(far, "127.0.0.9", 5060)
        try:
            address = ("127.0.0.1", gateway.sip_port)
            calls = []
            for number in range(CALLS):
                calls.append(asyncio.ensure_future(caller.call(address, b"lossy-%d" % number, UP_S)))
                await asyncio.sleep(1 / RATE)
            statuses = await asyncio.gather(*calls)
            await until(lambda: not callee.unconfirmed, 35.0)  # 64*T1: an ACK that was lost is sent for the next 200
            print(f"near: {near}; far: {far}; repeated {caller.repeats} and {callee.repeats}")
        finally:
            caller.close()
            callee.close()
        assert statuses == [200] * CALLS
        assert len(callee.calls) == CALLS, "none arrived as another call"
        assert not callee.unconfirmed, "every answer was acknowledged"
        for path in (near, far):
            assert path.dropped > 0.03 * path.carried and path.delayed > 0.07 * path.carried
        records = await asyncio.to_thread(wait_for, gateway, CALLS, CALLS)
        assert len(records.decisions) == CALLS and set(records.decisions.values()) == {1}
        assert all(results == ["answered"] for results in records.outcomes.values())
        assert records.answered() == set(records.decisions) == set(records.ends)
        assert set(records.ends.values()) == {1}
        assert "Traceback" not in gateway.output() and "callgate_errors_total{" not in gateway.get("/metrics")[1]
