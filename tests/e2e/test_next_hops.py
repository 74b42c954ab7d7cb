"""Next hops that die, come back, are drained by hand, and that are names (RFC 3263): judged at the hops themselves."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import dns.rcode
import pytest

from tests.support.dns_server import DnsServer
from tests.support.gateway_process import GatewayProcess
from tests.support.hops import FAST, HopLeg, caller, hop_at, lead_to, metric, one_call, until

FIRST, SECOND = "127.0.0.9:5060/udp", "127.0.0.9:5062/udp"


def invites(hop: HopLeg) -> int:
    """Calls that reached it."""
    return len({data.partition(b"Call-ID: ")[2].partition(b"\r")[0] for data in hop.requests(b"INVITE")})


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_hop_that_swallows_is_passed_by_marked_down_and_comes_back(tmp_path: Path, workers: int) -> None:
    env = {**FAST, "CALLGATE_NODE__WORKERS": str(workers)}
    async with hop_at(5060) as first, hop_at(5062) as second, caller() as phone:
        with GatewayProcess(tmp_path / "state", env=env) as gateway:
            await asyncio.to_thread(lead_to, gateway, tmp_path, "127.0.0.9:5060", "127.0.0.9:5062")
            placed, _ = await one_call(phone, gateway)
            assert placed.status == 200 and (invites(first), invites(second)) == (1, 0)
            assert await asyncio.to_thread(metric, gateway, "callgate_peer_up", FIRST) == 1
            first.deaf = True
            placed, seconds = await one_call(phone, gateway)
            assert placed.status == 200 and invites(second) == 1
            assert 3.9 < seconds < 5.0, "the first hop's time for a first response"
            await until(lambda: metric(gateway, "callgate_peer_up", FIRST) == 0)
            assert "next hop does not answer" in gateway.output()
            await asyncio.sleep(0.5)  # the other worker learns it in 0.2 s
            for _ in range(6):
                placed, seconds = await one_call(phone, gateway)
                assert placed.status == 200 and seconds < 0.2
            assert invites(first) == 1 and invites(second) == 7
            os.kill(gateway.worker_pid(), signal.SIGKILL)
            await asyncio.to_thread(gateway.wait_ready)
            placed, seconds = await one_call(phone, gateway)
            assert placed.status == 200 and seconds < 3.5, "a worker that was killed knows what is down"
            first.deaf = False
            back = await until(lambda: metric(gateway, "callgate_peer_up", FIRST) == 1)
            assert back < 10.0
            await asyncio.sleep(0.5)
            placed, seconds = await one_call(phone, gateway)
            assert placed.status == 200 and seconds < 0.2 and invites(first) == 2
            assert "Traceback" not in gateway.output()


async def test_all_down_are_tried_all_the_same(tmp_path: Path) -> None:
    async with hop_at(5060) as first, hop_at(5062) as second, caller() as phone:
        with GatewayProcess(tmp_path / "state", env={**FAST, "CALLGATE_TIMERS__FIRST_RESPONSE_S": "0.5"}) as gateway:
            first.deaf = second.deaf = True
            await asyncio.to_thread(lead_to, gateway, tmp_path, "127.0.0.9:5060", "127.0.0.9:5062")
            for peer in (FIRST, SECOND):
                await until(lambda peer=peer: metric(gateway, "callgate_peer_up", peer) == 0)  # type: ignore[misc]
            second.deaf = False
            placed, _ = await one_call(phone, gateway)
            assert placed.status == 200 and invites(second) == 1


async def test_a_peer_is_drained_by_hand_and_stays_so(tmp_path: Path) -> None:
    async with hop_at(5060) as first, hop_at(5062) as second, caller() as phone:
        with GatewayProcess(tmp_path / "state", env=FAST) as gateway:
            await asyncio.to_thread(lead_to, gateway, tmp_path, "127.0.0.9:5060", "127.0.0.9:5062")
            done = await asyncio.to_thread(gateway.cli, "peer", "drain", "127.0.0.9:5060")
            assert done.returncode == 0 and "drained (carrier)" in done.stdout, done.stderr
            await until(lambda: metric(gateway, "callgate_peer_drained", FIRST) == 1)
            assert (await one_call(phone, gateway))[0].status == 200
            assert (invites(first), invites(second)) == (0, 1)
            os.kill(gateway.worker_pid(), signal.SIGKILL)
            await asyncio.to_thread(gateway.wait_ready)
            await asyncio.to_thread(lead_to, gateway, tmp_path, "127.0.0.9:5062", "127.0.0.9:5060")
            second.deaf = True
            await until(lambda: metric(gateway, "callgate_peer_up", SECOND) == 0)
            listed = await asyncio.to_thread(gateway.cli, "peer", "list")
            states = {row.split()[1]: row.split()[2] for row in listed.stdout.splitlines() if "carrier" in row}
            assert states == {FIRST: "drained", SECOND: "down"}, listed.stdout
            second.deaf = False
            assert (await one_call(phone, gateway))[0].status == 200
            assert invites(first) == 0, "neither a restart nor an import ends it"
            unknown = await asyncio.to_thread(gateway.cli, "peer", "drain", "127.0.0.8")
            assert unknown.returncode == 1
            assert "no next hop of any trunk; there are 127.0.0.2:5060/udp" in unknown.stderr
            done = await asyncio.to_thread(gateway.cli, "peer", "undrain", "127.0.0.9:5060")
            assert "in use again (carrier)" in done.stdout
            await asyncio.to_thread(gateway.cli, "peer", "drain", "127.0.0.9:5062")
            await until(lambda: metric(gateway, "callgate_peer_drained", SECOND) == 1)
            assert (await one_call(phone, gateway))[0].status == 200
            assert invites(first) == 1


async def test_a_name_is_a_next_hop(tmp_path: Path) -> None:
    server = DnsServer()
    await server.start()
    server.zone = {
        ("gw.example", "NAPTR"): (1, ['10 10 "s" "SIP+D2U" "" _sip._udp.gw.example.']),
        ("_sip._udp.gw.example", "SRV"): (1, ["10 0 5060 a.gw.example.", "20 0 5062 a.gw.example."]),
        ("a.gw.example", "A"): (1, ["127.0.0.9"]),
    }
    env = {**FAST, "CALLGATE_DNS__NAMESERVERS": "127.0.0.1", "CALLGATE_DNS__PORT": str(server.port)}
    async with hop_at(5060) as first, hop_at(5062) as second, caller() as phone:
        with GatewayProcess(tmp_path / "state", env=env) as gateway:
            await asyncio.to_thread(lead_to, gateway, tmp_path, "gw.example")
            await until(lambda: metric(gateway, "callgate_peer_up", SECOND) == 1)
            assert (await one_call(phone, gateway))[0].status == 200
            assert (invites(first), invites(second)) == (1, 0), "by priority"
            # The records change, and calls follow when their TTL has run out (5 s at least, `net.dns_cache`).
            server.zone["_sip._udp.gw.example", "SRV"] = (1, ["10 0 5062 a.gw.example."])
            await until(lambda: metric(gateway, "callgate_peer_up", FIRST) is None)
            assert (await one_call(phone, gateway))[0].status == 200
            assert (invites(first), invites(second)) == (1, 1)
            # The name server fails, and goes silent: the last good addresses serve on, also over a restart.
            server.rcode = dns.rcode.SERVFAIL
            await until(lambda: "gw.example" in (gateway.state_dir / "next-hops.json").read_text())
            asked = server.asked.total()
            await until(lambda: server.asked.total() > asked + 2)
            placed, seconds = await one_call(phone, gateway)
            assert placed.status == 200 and seconds < 0.2
            server.silent = True
            os.kill(gateway.worker_pid(), signal.SIGKILL)
            await asyncio.to_thread(gateway.wait_ready)
            placed, seconds = await one_call(phone, gateway)
            assert placed.status == 200 and seconds < 1.0
            assert invites(second) == 3
            assert "callgate_errors_total{" not in (await asyncio.to_thread(gateway.get, "/metrics"))[1]
    server.close()
