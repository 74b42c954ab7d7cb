"""Redis or PostgreSQL killed or frozen: what must go on goes on, and everything comes back by itself (DESIGN §7)."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from tests.support.evidence import wait_for
from tests.support.gateway_process import GatewayProcess
from tests.support.telephony import CONSENTED, UNKNOWN, Telephony, answer_ms, phones

CALLS = 20


def processes(gateway: GatewayProcess, word: str) -> list[int]:
    """Pids of the gateway's processes whose program is named so."""
    return [pid for pid, command in gateway.processes().items() if word in command.split(" ")[0]]


async def assert_fails_closed(telephony: Telephony) -> None:
    """Outbound calls get 503 within 100 ms, inbound and emergency calls pass, a refusal on memory stays one."""
    for _ in range(CALLS):
        refused = await telephony.outbound(CONSENTED)
        assert refused.status == 503 and "store-unavailable" in refused.warning
        assert answer_ms(refused) < 100, f"{answer_ms(refused):.0f} ms"
        assert (await telephony.inbound()).status == 200
        assert (await telephony.outbound("110")).status == 200
    assert (await telephony.outbound(CONSENTED, "+8657156780001")).status == 403


async def test_redis_killed(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "state") as gateway:
        async with phones(gateway.sip_port) as telephony:
            assert (await telephony.outbound(CONSENTED)).status == 200
            (redis,) = processes(gateway, "redis-server")
            os.kill(redis, signal.SIGKILL)
            first = await telephony.outbound(CONSENTED)
            assert first.status == 503 and answer_ms(first) < 100
            # The supervisor starts another, which is empty: never mistaken for "no consent", and filled again.
            await telephony.until(200, CONSENTED, 15)
            assert (await telephony.outbound(UNKNOWN)).status == 470


async def test_redis_frozen(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "state") as gateway:
        async with phones(gateway.sip_port) as telephony:
            assert (await telephony.outbound(CONSENTED)).status == 200
            (redis,) = processes(gateway, "redis-server")
            os.kill(redis, signal.SIGSTOP)
            try:
                await assert_fails_closed(telephony)
            finally:
                os.kill(redis, signal.SIGCONT)
            await telephony.until(200, CONSENTED, 5)


async def test_postgresql_frozen(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "state") as gateway:
        async with phones(gateway.sip_port) as telephony:
            servers = processes(gateway, "postgres")
            assert servers
            for pid in servers:
                os.kill(pid, signal.SIGSTOP)
            try:
                for _ in range(CALLS):
                    assert (await telephony.outbound(CONSENTED)).status == 200
                    assert (await telephony.outbound(UNKNOWN)).status == 470
            finally:
                for pid in servers:
                    os.kill(pid, signal.SIGCONT)
            records = await asyncio.to_thread(wait_for, gateway, 2 * CALLS, CALLS)
            assert len(records.decisions) == 2 * CALLS and set(records.decisions.values()) == {1}
            assert records.answered() == set(records.ends) and set(records.ends.values()) == {1}


async def test_postgresql_killed(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "state") as gateway:
        async with phones(gateway.sip_port) as telephony:
            for pid in processes(gateway, "postgres"):
                os.kill(pid, signal.SIGKILL)
            for _ in range(CALLS):
                assert (await telephony.outbound(CONSENTED)).status == 200
                assert (await telephony.outbound(UNKNOWN)).status == 470
            records = await asyncio.to_thread(wait_for, gateway, 2 * CALLS, CALLS, 40.0)
            assert len(records.decisions) == 2 * CALLS and set(records.decisions.values()) == {1}
            assert records.answered() == set(records.ends) and set(records.ends.values()) == {1}
